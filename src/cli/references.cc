#include "references.h"

#include <utility>

#include <unistd.h>

namespace intact::cli {

Result<oci::Reference> require_reference(const std::string& text) {
  auto reference = TRY(oci::parse_reference(text));
  if (reference) return std::move(*reference);
  return Error(ErrorKind::invalid_argument,
               text +
                   ": no transport; write oci:DIR[:TAG], oci-archive:FILE[:TAG], "
                   "docker-archive:FILE[:REF], rootfs:DIR or tar:FILE");
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
