#include <csignal>

#include "command.h"
#include "commands.h"

int main(int argc, char** argv) {
  // A reader that goes away is an ordinary write error, not a reason to die in the middle of
  // something.
  std::signal(SIGPIPE, SIG_IGN);
  intact::cli::Program program;
  // In the order in which --help lists them: the way of an image, then what works on single files.
  intact::cli::add_keygen_command(program);
  intact::cli::add_trust_commands(program);
  intact::cli::add_seal_command(program);
  intact::cli::add_pull_command(program);
  intact::cli::add_verify_command(program);
  intact::cli::add_mount_commands(program);
  intact::cli::add_run_command(program);
  intact::cli::add_export_command(program);
  intact::cli::add_store_commands(program);
  intact::cli::add_fsverity_commands(program);
  intact::cli::add_composefs_commands(program);
  return program.run(argc, argv);
}
