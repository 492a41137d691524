#pragma once

namespace intact::cli {

class Program;

/// Adds `intact umount`.
void add_umount_command(Program& program);

}  // namespace intact::cli
