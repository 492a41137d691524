#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

#include "node_ranges.h"
#include "numbering.h"
#include "rewrite.h"

namespace intact::composefs {

/// The extended attributes that several inodes have with the same value, and the table in which the
/// image keeps them once.
class SharedXattrs {
 public:
  /// An inode uses at most so many of them; the rest it keeps itself.
  static constexpr std::size_t kMaxPerInode = 128;
  /// Instead of a place: the attribute is not shared.
  static constexpr std::uint32_t kNotShared = UINT32_MAX;

  static Result<SharedXattrs> collect(const Numbering& numbering, unsigned format_version,
                                      const std::vector<NodeRange>& ranges, unsigned threads);

  /// For all attributes of the inodes of a range, in the order of Rewriter::xattrs(): the place in
  /// the table in units of 4 bytes, or kNotShared.
  std::span<const std::uint32_t> places(std::size_t range) const { return places_[range]; }

  std::uint64_t table_size() const { return table_size_; }  ///< bytes
  /// Writes the table to `out`, which is zero and has table_size() bytes.
  void encode(MutableByteSpan out) const;

  /// Whether any inode has an access control list.
  bool has_acl() const { return has_acl_; }

 private:
  struct View {
    std::uint64_t hash;
    XattrView xattr;
  };
  struct Key {
    std::uint64_t hash;
    std::string name;
    std::string value;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Key& key) const { return key.hash; }
    std::size_t operator()(const View& view) const { return view.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Key& a, const Key& b) const {
      return a.name == b.name && a.value == b.value;
    }
    bool operator()(const View& a, const Key& b) const {
      return a.xattr.name == b.name && a.xattr.value == b.value;
    }
    bool operator()(const Key& a, const View& b) const { return (*this)(b, a); }
  };
  struct Use {
    std::uint32_t number = 0;  ///< in the order of their first occurrence
    std::uint64_t count = 0;
    std::uint64_t offset = 0;  ///< bytes
  };
  using Uses = std::unordered_map<Key, Use, Hash, Equal>;
  /// What a range has found.
  struct Found {
    std::vector<std::uint64_t> hashes;  ///< of all attributes
    bool has_acl = false;
    Uses uses;  ///< of those that may be shared
  };

  static std::uint64_t hash_of(const XattrView& xattr);
  static Result<void> hash_range(const Numbering& numbering, Rewriter rewriter, NodeRange range,
                                 Found& found);
  static Result<void> count_range(const Numbering& numbering, Rewriter rewriter, NodeRange range,
                                  const std::vector<std::uint64_t>& repeated, Found& found,
                                  std::vector<std::uint32_t>& numbers);
  void merge(std::vector<Found>& found);
  void lay_out();

  Uses uses_;
  std::vector<Uses::value_type*> table_;
  std::vector<std::vector<std::uint32_t>> places_;  ///< by range
  std::uint64_t table_size_ = 0;
  bool has_acl_ = false;
};

}  // namespace intact::composefs
