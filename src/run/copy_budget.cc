#include "copy_budget.h"

#include <cerrno>

namespace intact::run {

Result<void> CopyBudget::use_memory(std::uint64_t bytes) {
  if (bytes > memory_->limit || memory_->used > memory_->limit - bytes) {
    over_memory_ = true;
    return Error::from_errno("copy", ENOSPC);
  }
  memory_->used += bytes;
  return {};
}

Result<void> CopyBudget::add_bytes(std::uint64_t bytes) {
  if (bytes > bytes_left_) return Error::from_errno("copy", ENOSPC);
  TRY(use_memory(bytes));
  bytes_left_ -= bytes;
  return {};
}

Result<void> CopyBudget::add_inode() {
  if (inodes_left_ == 0) return Error::from_errno("copy", ENOSPC);
  TRY(use_memory(kInodeCost));
  --inodes_left_;
  return {};
}

}  // namespace intact::run
