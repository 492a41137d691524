#pragma once

#include <cstdint>
#include <optional>

#include <intact/base/bytes.h>
#include <intact/stack/discover.h>

namespace intact::stack {

/// What is in no volume: a file system, an archive, or a volume that nothing here opens.
struct Signature {
  Content content;
  /// Why it is not opened: "is not a disk image; unpack it first". Null: it is.
  const char* refusal;
};

/// What begins with these bytes, up to dm::Candidate::kBeginSize of them. For file systems "size"
/// is among the facts: the bytes that they take.
std::optional<Signature> find_signature(ByteSpan begin);

/// That size.
std::optional<std::uint64_t> file_system_size(ByteSpan begin);

}  // namespace intact::stack
