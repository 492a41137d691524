#include "embedded_init.h"

// INTACT_CONTAINER_INIT is the path of the program that the build has made.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    ".hidden intact_container_init\n"
    ".hidden intact_container_init_end\n"
    ".global intact_container_init\n"
    ".global intact_container_init_end\n"
    "intact_container_init:\n"
    ".incbin \"" INTACT_CONTAINER_INIT
    "\"\n"
    "intact_container_init_end:\n"
    ".popsection\n");

extern "C" {
[[gnu::visibility("hidden")]] extern const char intact_container_init[];
[[gnu::visibility("hidden")]] extern const char intact_container_init_end[];
}

namespace intact::run {

std::string_view embedded_init() {
  return {intact_container_init, intact_container_init_end};
}

}  // namespace intact::run
