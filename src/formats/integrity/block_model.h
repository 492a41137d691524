#pragma once

#include <cstdint>
#include <vector>

#include <intact/base/bytes.h>

namespace intact::integrity {

/// The requests that a device got, to judge what it returns after a crash. Every write gives each
/// of its blocks unique content, made from the block number and a counter.
class BlockModel {
 public:
  BlockModel(std::uint64_t blocks, std::size_t block_size)
      : block_size_(block_size), writes_(blocks) {}

  /// Content for the next write of `count` blocks from `block` on, begun at `position` of the log.
  Bytes begin_write(std::uint64_t block, std::uint64_t count, std::size_t position) {
    Bytes bytes;
    for (std::uint64_t b = block; b < block + count; ++b) {
      writes_[b].push_back({.number = ++number_, .begun = position, .flushed = kNever});
      const Bytes one = content(b, number_);
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    return bytes;
  }
  /// The last write to these blocks failed: it may have happened or not, whatever is flushed later.
  void write_failed(std::uint64_t block, std::uint64_t count) {
    for (std::uint64_t b = block; b < block + count; ++b) writes_[b].back().flushed = kFailed;
  }
  /// A flush that began after all writes so far has ended.
  void flushed(std::size_t position) {
    for (auto& writes : writes_)
      for (Write& write : writes)
        if (write.flushed == kNever) write.flushed = position;
  }

  struct Verdict {
    bool whole;      ///< one of the permitted contents
    bool mixed;      ///< each sector is from one of them
    bool uncertain;  ///< several contents are permitted
  };
  /// Judges a block read after a crash at `position`: permitted are the last write that a flush
  /// covers and any that has begun since.
  Verdict judge(std::uint64_t block, ByteSpan read, std::size_t position) const {
    std::vector<Bytes> allowed;
    for (const Write& write : writes_[block]) {
      if (write.begun > position) break;
      if (write.flushed <= position) allowed.clear();
      allowed.push_back(content(block, write.number));
    }
    Verdict verdict{.whole = false, .mixed = true, .uncertain = allowed.size() > 1};
    for (const Bytes& content : allowed) verdict.whole = verdict.whole || equal(content, read);
    for (std::size_t at = 0; at < block_size_; at += 512) {
      bool fits = false;
      for (const Bytes& content : allowed)
        fits = fits || equal(ByteSpan(content).subspan(at, 512), read.subspan(at, 512));
      verdict.mixed = verdict.mixed && fits;
    }
    return verdict;
  }

  std::uint64_t blocks() const { return writes_.size(); }
  std::size_t block_size() const { return block_size_; }

 private:
  static constexpr std::size_t kNever = ~std::size_t{0}, kFailed = kNever - 1;

  struct Write {
    std::uint64_t number;
    std::size_t begun, flushed;
  };

  Bytes content(std::uint64_t block, std::uint64_t number) const {
    Bytes bytes(block_size_);
    std::uint64_t state = block * 0x9e3779b97f4a7c15 + number * 0xbf58476d1ce4e5b9 + 1;
    for (std::byte& b : bytes) {
      state = state * 6364136223846793005 + 1442695040888963407;
      b = static_cast<std::byte>(state >> 56);
    }
    return bytes;
  }

  std::size_t block_size_;
  std::uint64_t number_ = 0;
  std::vector<std::vector<Write>> writes_;  // of each block, the oldest first
};

}  // namespace intact::integrity
