#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/oci/reference.h>

namespace intact::cli {

/// A SOURCE or DEST: invalid_argument, with the `forms` to write, if it begins with no transport.
Result<oci::Reference> require_reference(const std::string& text, const char* forms);

/// Checks that an archive may be written to stdout: not to a terminal, and not together with a JSON
/// result, which belongs there too.
Result<void> check_archive_on_stdout(bool as_json);

}  // namespace intact::cli
