#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <intact/base/result.h>
#include <intact/block/device.h>

namespace intact::block {

/// Told by the calling thread how many bytes of the total are done. May be empty.
using CopyProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Writes all of `source` into `fd`, a regular file that is empty, with holes where there are
/// zeros; several threads read it. Holes of the source are not read. The file may be incomplete
/// after an error. invalid_argument: it is another kind of file, not empty, or open for appending.
Result<void> copy_into(const Device& source, int fd, const CopyProgress& progress = {});

/// Writes all of `source` to `fd` in order, as a pipe wants it. After an error it has got only what
/// was before it.
Result<void> copy_in_order(const Device& source, int fd, const CopyProgress& progress = {});

/// Writes all of `source` to the new file `path`, readable by its owner only, as copy_into() does.
/// The file appears when it is complete and durable; after an error there is none. exists: there is
/// such a file already.
Result<void> copy_to_new_file(const Device& source, const std::string& path,
                              const CopyProgress& progress = {});

}  // namespace intact::block
