#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <intact/rootfs/root.h>
#include <intact/run/options.h>

namespace intact::cli {

/// What was given to `intact run`.
struct RunArguments {
  std::string name;
  std::string verity = "require", method = "auto";
  std::string on_damage = "continue";
  std::string late_option;
  int status_fd = -1;
  bool remove = false;  // as always
  run::OptionTexts texts;
  run::RunOptions options;
};

/// Declares the image, and all options but those of store and trust. `arguments` must outlive the
/// command.
void add_run_options(CLI::App& command, RunArguments& arguments);

/// Turns what was given as text into `arguments.options`. invalid_argument names the option.
Result<void> read_run_options(RunArguments& arguments);

/// The root that was asked for: one that users of the container share. After read_run_options().
Result<rootfs::RootSpec> run_root_spec(const RunArguments& arguments);

}  // namespace intact::cli
