#pragma once

#include <optional>

#include <intact/base/bytes.h>
#include <intact/stack/recognise.h>

namespace intact::stack {

/// How much of the beginning of a file describe_header() wants to see (bytes): up to the superblock
/// of btrfs.
inline constexpr std::size_t kHeaderSize = 65536 + 4096;

/// What begins with these bytes, but for dm-verity. For file systems "size" is among the facts: the
/// bytes that they take.
std::optional<Content> describe_header(ByteSpan begin);

}  // namespace intact::stack
