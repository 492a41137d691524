#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

#include "numbering.h"
#include "rewrite.h"

namespace intact::composefs {

/// The extended attributes that several inodes have with the same value, and the table in which the
/// image keeps them once.
class SharedXattrs {
 public:
  /// An inode uses at most so many of them; the rest it keeps itself.
  static constexpr std::size_t kMaxPerInode = 128;

  static Result<SharedXattrs> collect(const Numbering& numbering, Rewriter& rewriter);

  /// Byte offset in the table; nothing if the attribute is not shared.
  std::optional<std::uint64_t> offset_of(const XattrView& xattr) const;

  std::uint64_t table_size() const { return table_size_; }  ///< bytes
  /// Writes the table to `out`, which is zero and has table_size() bytes.
  void encode(MutableByteSpan out) const;

  /// Whether any inode has an access control list.
  bool has_acl() const { return has_acl_; }

 private:
  struct Key {
    std::string name;
    std::string value;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Key& key) const { return (*this)(XattrView{key.name, key.value}); }
    std::size_t operator()(const XattrView& xattr) const;
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.name == b.name && a.value == b.value;
    }
  };
  struct Use {
    std::uint32_t count = 0;
    std::uint64_t offset = 0;
  };
  using Uses = std::unordered_map<Key, Use, Hash, Equal>;

  void lay_out();

  Uses uses_;
  std::vector<Uses::value_type*> table_;
  std::uint64_t table_size_ = 0;
  bool has_acl_ = false;
};

}  // namespace intact::composefs
