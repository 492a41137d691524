#include <intact/nbdkit_plugin.h>

asm(R"(
  .pushsection .rodata
  .balign 16
intact_nbdkit_plugin_begin:
  .incbin ")" INTACT_NBDKIT_PLUGIN R"("
intact_nbdkit_plugin_end:
  .popsection
)");

extern "C" const std::byte intact_nbdkit_plugin_begin[];
extern "C" const std::byte intact_nbdkit_plugin_end[];

namespace intact {

ByteSpan nbdkit_plugin() {
  return {intact_nbdkit_plugin_begin, intact_nbdkit_plugin_end};
}

}  // namespace intact
