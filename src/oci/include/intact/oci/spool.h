#pragma once

#include <cstdint>
#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::oci {

/// A file without a name in `directory`, open for reading and writing by this process alone: it is
/// gone when its last descriptor is closed.
Result<UniqueFd> unnamed_file(const std::string& directory);

/// What messages call the source at `path`: "standard input" for "-".
std::string source_name(const std::string& path);

/// Standard input as a file that can be read at any offset, for sources called "-": the input
/// itself if it is a regular file at its start, otherwise a copy of it in an unnamed file in
/// `directory`. Over `limit` bytes: error kind limit. Only one argument of a command can be read
/// from there (see claim_standard_input()).
Result<UniqueFd> spool_standard_input(const std::string& directory, std::uint64_t limit);

}  // namespace intact::oci
