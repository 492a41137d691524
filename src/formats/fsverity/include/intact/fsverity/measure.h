#pragma once

#include <optional>
#include <string_view>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// Params as the options of fsverity-utils have them: an algorithm by name or by the kernel's
/// number, a block size in decimal digits, a salt in hexadecimal. invalid_argument, also for block
/// sizes that fsverity-utils refuse.
Result<Params> parse_params(std::string_view algorithm, std::string_view block_size,
                            std::string_view salt);

/// The digest of an open file that the kernel enforces at every read (FS_IOC_MEASURE_VERITY), for
/// as long as the file exists: nobody can change the file or disable fs-verity on it. Nothing if
/// the file has no fs-verity or its file system does not support it. unsupported: unknown
/// algorithm.
Result<std::optional<Digest>> measure_file(int fd);

/// Whether the file system of an open file supports fs-verity, also where this file has none.
bool is_supported(int fd);

}  // namespace intact::fsverity
