#pragma once

#include <intact/base/bytes.h>

namespace intact::verity {

/// 2 MiB; the 512-byte sector i is the 8-byte little-endian number i, repeated: what the golden
/// values of these tests were made of.
inline Bytes numbered_sectors() {
  Bytes data(2 << 20);
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<std::byte>((i / 512) >> (i % 8 * 8));
  return data;
}

}  // namespace intact::verity
