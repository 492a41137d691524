#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// A new file without a name, for reading and writing, on the file system of an open directory: it
/// is gone when its last descriptor is, and nobody else can open it.
Result<UniqueFd> unnamed_file(int directory);
/// The same in a directory of that path. All errors are of kind io, also when it does not exist.
Result<UniqueFd> unnamed_file_in(const std::string& directory);
/// The same where temporary files of any size belong: in $TMPDIR if it is set, otherwise in
/// /var/tmp, or in /tmp if that fails, which may be memory.
Result<UniqueFd> unnamed_temporary_file();

}  // namespace intact
