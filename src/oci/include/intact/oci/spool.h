#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <intact/base/file.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::oci {

/// What messages call the source at `path`: "standard input" for "-".
std::string source_name(const std::string& path);

/// Makes a file for temporary content, such as unnamed_temporary_file().
using MakeTemporary = std::function<Result<UniqueFd>()>;

/// Standard input as a file that can be read at any offset, for sources called "-": the input
/// itself if it is a regular file at its start, otherwise a copy of it in a new temporary file.
/// Over `limit` bytes: error kind limit. Only one argument of a command can be read from there (see
/// claim_standard_input()).
Result<UniqueFd> spool_standard_input(std::uint64_t limit,
                                      const MakeTemporary& make = unnamed_temporary_file);

}  // namespace intact::oci
