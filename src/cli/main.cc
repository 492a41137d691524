#include <csignal>

#include <intact/base/inherited.h>
#include <intact/console/output.h>
#include <intact/console/program.h>

#include "commands.h"

int main(int argc, char** argv) {
  intact::remember_inherited_descriptors();
  // A reader that goes away or a file over the user's limit is an ordinary write error, not a
  // reason to die in the middle of something.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  intact::console::guard_output();
  intact::console::Program program;
  intact::cli::add_all_commands(program);
  return program.run(argc, argv);
}
