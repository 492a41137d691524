#pragma once

#include <array>
#include <cstddef>

#include <intact/base/bytes.h>

namespace intact::integrity {

/// A buffer for the tags of a request that does not allocate for small requests, the usual case.
class Scratch {
 public:
  /// `size` bytes of unspecified content, valid until the next call.
  MutableByteSpan get(std::size_t size) {
    if (size <= small_.size()) return MutableByteSpan(small_).first(size);
    if (large_.size() < size) large_.resize(size);
    return MutableByteSpan(large_).first(size);
  }

 private:
  std::array<std::byte, 512> small_;
  Bytes large_;
};

}  // namespace intact::integrity
