#include <memory>
#include <string>

#include "../commands.h"
#include "command.h"
#include "completion_scripts.h"

namespace intact::cli {

void add_completion_command(Program& program) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = program.add(program.app(), "completion",
                                  "Print the script that completes `intact` in a shell");
  command->add_option("SHELL", *shell, "The shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->always_capture_default(false);
  program.on_chosen(command, [shell]() -> Result<int> {
    print("{}", *shell == "bash"  ? kBashCompletion
                : *shell == "zsh" ? kZshCompletion
                                  : kFishCompletion);
    return 0;
  });
}

}  // namespace intact::cli
