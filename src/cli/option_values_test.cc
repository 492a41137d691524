#include <functional>
#include <string>

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include "command.h"
#include "commands.h"

namespace intact::cli {
namespace {

/// Every command below `command`, with its path.
void for_each_command(CLI::App& command, const std::string& path,
                      const std::function<void(CLI::App&, const std::string&)>& visit) {
  visit(command, path);
  for (CLI::App* child : command.get_subcommands([](CLI::App*) { return true; }))
    for_each_command(*child, path + " " + child->get_name(), visit);
}

// An option that may be repeated takes one value at a time, or it would swallow the NAME after it.
TEST(OptionValues, NoOptionSwallowsTheArgumentsAfterItsValue) {
  Program program;
  add_all_commands(program);
  int options = 0;
  for_each_command(program.app(), "intact", [&](CLI::App& command, const std::string& path) {
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_positional()) continue;
      ++options;
      EXPECT_FALSE(option->get_allow_extra_args()) << path << " " << option->get_name();
    }
  });
  EXPECT_GT(options, 100);
}

}  // namespace
}  // namespace intact::cli
