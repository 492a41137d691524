#pragma once

#include <cstdint>
#include <string>

#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/block/device.h>

namespace intact::block {

/// Writes all of `source` into `fd`, a regular file that is empty, with holes where there are
/// zeros; several threads read it. Holes of the source are not read. The file may be incomplete
/// after an error. invalid_argument: it is another kind of file, not empty, or open for appending.
Result<void> copy_into(const Device& source, int fd, const Progress& progress = {});

/// Writes all of `source` to `fd` in order, as a pipe wants it. After an error it has got only what
/// was before it.
Result<void> copy_in_order(const Device& source, int fd, const Progress& progress = {});

/// Writes all of `source` to the new file `path`, readable by its owner only, as copy_into() does.
/// The file appears when it is complete and durable; after an error there is none. exists: there is
/// such a file already.
Result<void> copy_to_new_file(const Device& source, const std::string& path,
                              const Progress& progress = {});

}  // namespace intact::block
