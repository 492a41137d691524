#include <memory>

#include <intact/json/json.h>

#include "../commands.h"
#include "command.h"

namespace intact::cli {

void add_version_command(Program& program) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = program.add(program.app(), "version", "Print the version, as --version");
  command->group("");  // --help has --version
  command->add_flag("--json", *json, "Print it as JSON");
  program.on_chosen(command, [json]() -> Result<int> {
    if (*json) {
      print("{}\n", to_text(Json{{"version", INTACT_VERSION}}));
    } else {
      print("intact {}\n", INTACT_VERSION);
    }
    return 0;
  });
}

}  // namespace intact::cli
