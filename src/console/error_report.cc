#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/json/json.h>

namespace intact::console {

bool takes_json(const CLI::App& command) {
  const CLI::Option* const option = command.get_option_no_throw("--json");
  return option && option->count() > 0;
}

void report_error(std::string_view message, ErrorKind kind, int status, bool as_json) {
  // Errors quote what they are about: names, media types, keys, anything that an image may hold.
  const std::string shown = visible_message(message);
  tell("intact: {}\n", shown);
  if (as_json)
    print_json(
        Json{{"ok", false}, {"error", to_string(kind)}, {"message", shown}, {"status", status}});
}

}  // namespace intact::console
