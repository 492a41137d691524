#include "sparse.h"

#include <algorithm>
#include <cstring>

#include <intact/base/file.h>

namespace intact::run {
namespace {

constexpr std::uint64_t kBlock = 4096;

bool is_zero(ByteSpan bytes) {
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// How many of the bytes are in the block where they begin.
std::size_t block_part(std::uint64_t offset, ByteSpan bytes) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(kBlock - offset % kBlock, bytes.size()));
}

}  // namespace

Result<void> write_sparse(int fd, std::uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    // Blocks with something in them are written together.
    std::size_t data = 0;
    std::size_t hole = 0;
    while (data < bytes.size()) {
      const ByteSpan rest = bytes.subspan(data);
      const std::size_t part = block_part(offset + data, rest);
      if (is_zero(rest.first(part))) {
        hole = part;
        break;
      }
      data += part;
    }
    TRY(pwrite_all(fd, offset, bytes.first(data)));
    offset += data + hole;
    bytes = bytes.subspan(data + hole);
  }
  return {};
}

}  // namespace intact::run
