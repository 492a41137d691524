#pragma once

#include <memory>
#include <string>

#include <intact/block/file_device.h>
#include <intact/console/peer_commands.h>
#include <intact/console/progress.h>

#include "../integrity_options.h"
#include "command.h"

namespace intact::cli {

/// The options of most commands of the group `integrity`.
struct IntegrityCommand : IntegrityOptions {
  bool json = false;
};

/// Adds a command to the group that runs `action` with its own kind of options.
template <typename Options>
std::pair<CLI::App*, Options*> add_integrity_command(Program& program, CLI::App* group,
                                                     const char* name, const char* description,
                                                     Result<int> (*action)(const Options&)) {
  CLI::App* const command = add_peer_command(program, group, name, description);
  const auto options = std::make_shared<Options>();
  options->add_talk(command);
  program.on_chosen(command, [options, action] { return action(*options); });
  return {command, options.get()};
}

/// Opens a device without a lock: others may be writing to it.
Result<std::unique_ptr<block::FileDevice>> open_unlocked(const std::string& path);

// One function for each file integrity_*.cc.
void add_integrity_format_command(Program& program, CLI::App* group);
void add_integrity_dump_command(Program& program, CLI::App* group);
void add_integrity_status_command(Program& program, CLI::App* group);
void add_integrity_open_command(Program& program, CLI::App* group);
void add_integrity_check_command(Program& program, CLI::App* group);
void add_integrity_replay_command(Program& program, CLI::App* group);
void add_integrity_recalculate_command(Program& program, CLI::App* group);
void add_integrity_resize_command(Program& program, CLI::App* group);
void add_integrity_detect_command(Program& program, CLI::App* group);

}  // namespace intact::cli
