#include "references.h"

#include <utility>

#include <unistd.h>

#include "command.h"

namespace intact::cli {
Result<oci::Reference> require_reference(const std::string& text, const char* forms) {
  auto reference = TRY(oci::parse_reference(text));
  if (reference) return std::move(*reference);
  const std::size_t colon = text.find(':');
  const bool is_prefix =
      colon != std::string::npos && colon != 0 && text.find('/') > colon && text[0] != '.';
  return wrong(text +
               (is_prefix ? ": unknown transport '" + text.substr(0, colon) + "'"
                          : std::string(": no transport")) +
               "; write " + forms);
}

void PlatformOption::add_to(CLI::App* command) {
  command->add_option("--platform", text_, "Select this platform from a multi-platform image")
      ->type_name("OS/ARCH[/VARIANT]");
}

Result<std::optional<oci::Platform>> PlatformOption::platform() const {
  if (text_.empty()) return std::optional<oci::Platform>();
  return std::optional(TRY(oci::parse_platform(text_)));
}

Result<void> check_archive_on_stdout(bool as_json) {
  if (as_json) return wrong("--json: standard output is for the archive; leave out --json");
  if (::isatty(STDOUT_FILENO) == 1)
    return wrong("standard output: a terminal, not a place for an archive; redirect it");
  return {};
}

}  // namespace intact::cli
