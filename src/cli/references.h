#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/oci/reference.h>

namespace intact::cli {

/// A SOURCE or DEST: invalid_argument, with a hint, if it does not begin with a transport.
Result<oci::Reference> require_reference(const std::string& text);

}  // namespace intact::cli
