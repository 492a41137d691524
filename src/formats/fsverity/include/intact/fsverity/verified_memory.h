#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/fsverity/verified_file.h>

namespace intact::fsverity {

/// A verified file whose blocks are copied into private memory at their first use: each block is
/// read and hashed once and never read from the file again, so what is parsed is what was verified.
/// For metadata images. Memory is allocated as blocks are used, up to the size of the file.
/// Thread-safe.
class VerifiedMemory final : public ByteSource {
 public:
  /// limit for files over 64 GiB. Reads nothing yet.
  static Result<std::unique_ptr<VerifiedMemory>> open(std::unique_ptr<VerifiedFile> file);
  ~VerifiedMemory() override;

  std::uint64_t size() const override { return size_; }
  /// As VerifiedFile::read.
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;

  /// The verified bytes themselves; valid and unchanging as long as this object. A range beyond
  /// size() is malformed.
  Result<ByteSpan> view(std::uint64_t offset, std::size_t length) const;

  const VerifiedFile& file() const { return *file_; }

 private:
  VerifiedMemory(std::unique_ptr<VerifiedFile> file, std::byte* memory);
  Result<void> ensure(std::uint64_t first_block, std::uint64_t end_block) const;
  Result<void> load_blocks(std::uint64_t first_block, std::uint64_t end_block) const;
  bool is_loaded(std::uint64_t block) const;

  std::unique_ptr<VerifiedFile> file_;
  std::uint64_t size_;
  std::uint32_t block_size_;
  std::byte* memory_;                                     ///< size_ bytes, mapped; null when empty
  std::unique_ptr<std::atomic<std::uint64_t>[]> loaded_;  ///< a bit for each block
  /// Taken while blocks are copied in, so that no two threads write one block. Which one: by the
  /// block's place.
  mutable std::array<std::mutex, 16> loading_;
};

}  // namespace intact::fsverity
