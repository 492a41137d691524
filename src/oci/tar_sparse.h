#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

#include "tar_header.h"

namespace intact::oci {

/// A piece of a sparse file that the archive holds, in bytes.
struct SparseExtent {
  std::uint64_t offset;  ///< in the file
  std::uint64_t length;
};

/// What a sparse file is made of: the extents, which the archive holds one after the other, and
/// zeros everywhere else.
struct SparseMap {
  std::uint64_t size = 0;  ///< of the file with its holes, in bytes
  std::vector<SparseExtent> extents;
};

/// Whether the extents are in order, do not overlap, end within the file, and add up to the
/// `stored` bytes of the archive. malformed otherwise.
Result<void> check_sparse_map(const SparseMap& map, std::uint64_t stored);

/// "OFFSET,LENGTH,OFFSET,LENGTH...": the map of the PAX formats 0.0 and 0.1.
Result<std::vector<SparseExtent>> parse_sparse_list(std::string_view text);

/// Where the extents and holes of a file are, from front to back. `map` must outlive the cursor.
class SparseCursor {
 public:
  explicit SparseCursor(const SparseMap& map) : map_(&map) {}

  struct Step {
    std::size_t bytes;  ///< 0 at the end of the file
    bool is_hole;       ///< zeros; otherwise the next bytes of the archive
  };
  /// The next step of at most `most` bytes, and moves past it.
  Step next(std::size_t most);

 private:
  const SparseMap* map_;
  std::size_t extent_ = 0;
  std::uint64_t position_ = 0;
};

/// One extent of GNU's old format (entry type 'S'). Both fields empty: there are no more.
struct RawSparseExtent {
  std::array<char, 12> offset;
  std::array<char, 12> length;
};

/// The part of a header of type 'S' from byte 386 on, where others have their prefix.
struct RawSparseHeader {
  std::array<RawSparseExtent, 4> extents;
  char extended;  // not 0: a RawSparseExtension follows
  std::array<char, 12> real_size;
};
inline constexpr std::size_t kRawSparseOffset = 386;
static_assert(sizeof(RawSparseHeader) == 109 && offsetof(RawSparseHeader, real_size) == 97);

struct RawSparseExtension {
  std::array<RawSparseExtent, 21> extents;
  char extended;  // not 0: another one follows
  std::array<char, 7> unused;
};
static_assert(sizeof(RawSparseExtension) == kTarBlock && alignof(RawSparseExtension) == 1);

/// Appends what `raw` has to `extents`. False when it ends before all of its places are used.
Result<bool> add_raw_extents(std::vector<SparseExtent>& extents, const RawSparseExtent* raw,
                             std::size_t count);

}  // namespace intact::oci
