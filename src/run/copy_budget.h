#pragma once

#include <cstdint>

#include <intact/base/result.h>

namespace intact::run {

/// What all copies of one container take in the kernel's memory, in bytes.
struct MemoryUse {
  std::uint64_t limit = UINT64_MAX;
  std::uint64_t used = 0;
};

/// What copies into one tmpfs may take. The tmpfs itself counts neither access control lists nor
/// its inodes towards its size, and without a size or a number of inodes it counts nothing.
class CopyBudget {
 public:
  /// About what a file without content costs the kernel, in bytes.
  static constexpr std::uint64_t kInodeCost = 1024;

  /// `bytes`: of contents, attributes and lists together. `memory` outlives the budget.
  CopyBudget(MemoryUse& memory, std::uint64_t bytes, std::uint64_t inodes)
      : memory_(&memory), bytes_left_(bytes), inodes_left_(inodes) {}

  /// Contents, long targets of symbolic links, attributes. io (ENOSPC) when they do not fit.
  Result<void> add_bytes(std::uint64_t bytes);
  /// A file of any kind, or a further name of one. io (ENOSPC) when it does not fit.
  Result<void> add_inode();
  /// Whether MemoryUse::limit was what something did not fit into.
  bool is_over_memory() const { return over_memory_; }

 private:
  Result<void> use_memory(std::uint64_t bytes);

  MemoryUse* memory_;
  std::uint64_t bytes_left_, inodes_left_;
  bool over_memory_ = false;
};

}  // namespace intact::run
