#pragma once

#include "command.h"

namespace intact::cli {

/// Every command of the program.
void add_all_commands(Program& program);

// One function for each file of commands/: it hangs its commands into the program.
void add_keygen_command(Program& program);
void add_trust_commands(Program& program);
void add_seal_command(Program& program);
void add_pull_command(Program& program);
void add_store_commands(Program& program);  // images, inspect, rm, gc, fsck
void add_verify_command(Program& program);
void add_mount_command(Program& program);
void add_umount_command(Program& program);
void add_run_command(Program& program);
void add_export_command(Program& program);
void add_registry_commands(Program& program);  // copy, push, login, logout
void add_fsverity_commands(Program& program);
void add_composefs_commands(Program& program);
void add_verity_commands(Program& program);
void add_open_commands(Program& program);  // open, info
void add_integrity_commands(Program& program);
void add_completion_command(Program& program);  // prints the scripts for the shells
void add_version_command(Program& program);     // hidden: --help has --version
void add_complete_command(Program& program);    // what the shells ask, hidden

/// Adds `close DEVICE` to a command group, for devices of dm-`target`, and its old name `remove`.
/// `batch`: with -q, which has no effect because nothing is ever asked.
void add_close_command(Program& program, CLI::App* group, std::string_view target,
                       bool batch = false);

}  // namespace intact::cli
