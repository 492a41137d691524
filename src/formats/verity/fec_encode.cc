#include <algorithm>
#include <mutex>
#include <vector>

#include <intact/base/worker_pool.h>
#include <intact/verity/fec.h>

#include "fec_rows.h"

namespace intact::verity {
namespace {

/// Columns encoded in one go: long enough for sequential reads, short enough for a few MiB.
constexpr std::uint64_t kColumns = 16384;

/// Encodes columns [begin, begin + count) and writes their parity.
Result<void> encode_columns(const FecGeometry& geometry, const ReedSolomon& code,
                            const ByteSource& covered, block::Device& out, std::uint64_t offset,
                            std::uint64_t begin, std::size_t count) {
  const unsigned roots = geometry.roots();
  static thread_local Bytes buffer;
  buffer.resize(std::size_t{kCodewordSize} * count);
  std::vector<const std::byte*> message;
  std::vector<std::byte*> parity;
  for (unsigned row = 0; row < kCodewordSize; ++row) {
    const MutableByteSpan bytes(buffer.data() + row * count, count);
    if (row < geometry.rows()) {
      TRY(read_row(geometry, covered, row, begin, bytes));
      message.push_back(bytes.data());
    } else {
      parity.push_back(bytes.data());
    }
  }
  code.encode(message, parity, count);
  // Stored column by column.
  static thread_local Bytes columns;
  columns.resize(count * roots);
  for (unsigned root = 0; root < roots; ++root)
    for (std::size_t c = 0; c < count; ++c) columns[c * roots + root] = parity[root][c];
  return out.write(offset + begin * roots, columns);
}

}  // namespace

Result<void> encode_fec(const FecGeometry& geometry, const ByteSource& covered, block::Device& out,
                        std::uint64_t offset, unsigned threads, const Progress& progress) {
  const ReedSolomon code(geometry.roots());
  std::mutex mutex;
  std::uint64_t done = 0;
  WorkerPool pool(threads);
  for (std::uint64_t begin = 0; begin < geometry.row_size() && !pool.failed(); begin += kColumns) {
    pool.submit([&, begin]() -> Result<void> {
      const auto count = static_cast<std::size_t>(std::min(kColumns, geometry.row_size() - begin));
      TRY(encode_columns(geometry, code, covered, out, offset, begin, count));
      const std::lock_guard lock(mutex);
      done += count;
      if (progress) progress(done * geometry.rows(), geometry.row_size() * geometry.rows());
      return {};
    });
  }
  return pool.wait();
}

}  // namespace intact::verity
