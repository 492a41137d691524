#pragma once

#include <string_view>

#include <intact/base/bytes.h>

namespace intact::oci {

enum class Compression { none, gzip, zstd, xz, bzip2 };

std::string_view to_string(Compression compression);

/// Identifies a compressed stream by its first bytes (six are enough; zstd skippable frames count
/// as zstd). Everything else, also nothing at all, is `none`.
Compression detect_compression(ByteSpan first_bytes);

}  // namespace intact::oci
