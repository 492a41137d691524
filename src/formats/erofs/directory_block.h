#pragma once

#include <cstddef>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/erofs/image.h>

namespace intact::erofs {

/// A checked view of one block of a directory: at least one name, all names valid and in order.
class DirectoryBlock {
 public:
  /// `bytes` (at most kBlockSize) must outlive the view.
  static Result<DirectoryBlock> parse(ByteSpan bytes);

  std::size_t count() const { return count_; }
  Dirent entry(std::size_t index) const;
  std::string_view name(std::size_t index) const;
  /// Index of the first name that is not less than `name`; count() if there is none.
  std::size_t lower_bound(std::string_view name) const;

 private:
  DirectoryBlock(ByteSpan bytes, std::size_t count, std::size_t end)
      : bytes_(bytes), count_(count), end_(end) {}
  RawDirent raw(std::size_t index) const;

  ByteSpan bytes_;
  std::size_t count_;
  std::size_t end_;  ///< of the last name
};

}  // namespace intact::erofs
