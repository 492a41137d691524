#pragma once

#include <array>
#include <cstddef>

#include <intact/base/bytes.h>

namespace intact::integrity {

/// Room for the tags of a request: without allocation for small ones, which are many.
class Scratch {
 public:
  /// `size` bytes of any content, until the next call.
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
