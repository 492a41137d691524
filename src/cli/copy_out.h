#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/block/device.h>

namespace intact::cli {

/// Writes all of `source` into `fd`, a regular file that is empty, with holes where there are
/// zeros. Holes of the source are not read. invalid_argument: it is another kind of file, not
/// empty, or open for appending.
Result<void> copy_into(const block::Device& source, int fd);

/// Writes all of `source` to the new file `path`, readable by its owner only, with holes where
/// there are zeros. The file appears when it is complete and durable; after an error there is none.
/// "-" is stdout, which gets the bytes in order and, after an error, only those before it. exists:
/// the file exists already; invalid_argument: stdout is a terminal.
Result<void> copy_out(const block::Device& source, const std::string& path);

}  // namespace intact::cli
