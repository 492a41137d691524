#include "references.h"

#include <utility>

namespace intact::cli {

Result<oci::Reference> require_reference(const std::string& text) {
  auto reference = TRY(oci::parse_reference(text));
  if (reference) return std::move(*reference);
  return Error(ErrorKind::invalid_argument,
               text +
                   ": no transport; write oci:DIR[:TAG], oci-archive:FILE[:TAG], "
                   "docker-archive:FILE[:REF], rootfs:DIR or tar:FILE");
}

}  // namespace intact::cli
