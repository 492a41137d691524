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

Result<void> check_archive_on_stdout(bool as_json) {
  if (as_json) return wrong("--json: standard output is for the archive; leave out --json");
  if (::isatty(STDOUT_FILENO) == 1)
    return wrong("standard output: a terminal, not a place for an archive; redirect it");
  return {};
}

}  // namespace intact::cli
