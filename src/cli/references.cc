#include "references.h"

#include <utility>

#include <unistd.h>

namespace intact::cli {

Result<oci::Reference> require_reference(const std::string& text, const char* forms) {
  auto reference = TRY(oci::parse_reference(text));
  if (reference) return std::move(*reference);
  return Error(ErrorKind::invalid_argument, text + ": no transport; write " + forms);
}

Result<void> check_archive_on_stdout(bool as_json) {
  if (as_json)
    return Error(ErrorKind::invalid_argument,
                 "--json: standard output is for the archive; leave out --json");
  if (::isatty(STDOUT_FILENO) == 1)
    return Error(ErrorKind::invalid_argument,
                 "standard output: a terminal, not a place for an archive; redirect it");
  return {};
}

}  // namespace intact::cli
