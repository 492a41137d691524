#include "shared_xattrs.h"

#include <algorithm>
#include <random>

#include <xxhash.h>

#include <intact/erofs/xattr.h>

#include "format.h"

namespace intact::composefs {
namespace {

/// Of a sorted list: the values that occur more than once, each once.
void keep_repeated(std::vector<std::uint64_t>& values) {
  auto out = values.begin();
  for (auto it = values.begin(); it != values.end();) {
    const auto end = std::find_if(it, values.end(), [&](std::uint64_t v) { return v != *it; });
    if (end - it > 1) *out++ = *it;
    it = end;
  }
  values.erase(out, values.end());
  values.shrink_to_fit();
}

}  // namespace

std::size_t SharedXattrs::Hash::operator()(const XattrView& xattr) const {
  // Random, so that nobody can make xattrs that collide; the order of hashes shows nowhere.
  static const std::uint64_t seed = std::random_device{}() * 0x9e3779b97f4a7c15ull;
  const XXH64_hash_t name = XXH3_64bits_withSeed(xattr.name.data(), xattr.name.size(), seed);
  return XXH3_64bits_withSeed(xattr.value.data(), xattr.value.size(), name);
}

// Nearly every file has attributes of its own (the name of its object), so counting them all would
// take several times the memory of the tree. A list of hashes tells which can be shared at all;
// only those are then kept and compared in full.
Result<SharedXattrs> SharedXattrs::collect(const Numbering& numbering, Rewriter& rewriter) {
  SharedXattrs shared;
  std::vector<std::uint64_t> hashes;
  hashes.reserve(numbering.nodes().size());
  for (const Numbering::Node& node : numbering.nodes()) {
    for (const XattrView& xattr : *TRY(rewriter.xattrs(node))) {
      hashes.push_back(Hash{}(xattr));
      if (xattr.name == kAclAccess || xattr.name == kAclDefault) shared.has_acl_ = true;
    }
  }
  std::sort(hashes.begin(), hashes.end());
  keep_repeated(hashes);
  if (hashes.empty()) return shared;

  for (const Numbering::Node& node : numbering.nodes()) {
    for (const XattrView& xattr : *TRY(rewriter.xattrs(node))) {
      if (const auto it = shared.uses_.find(xattr); it != shared.uses_.end())
        ++it->second.count;
      else if (std::binary_search(hashes.begin(), hashes.end(), Hash{}(xattr)))
        shared.uses_[Key{std::string(xattr.name), std::string(xattr.value)}].count = 1;
    }
  }
  std::erase_if(shared.uses_, [](const auto& use) { return use.second.count < 2; });
  shared.lay_out();
  return shared;
}

void SharedXattrs::lay_out() {
  table_.reserve(uses_.size());
  for (auto& use : uses_) table_.push_back(&use);
  std::sort(table_.begin(), table_.end(), [](const auto* a, const auto* b) {
    const Key& x = a->first;
    const Key& y = b->first;
    if (x.name != y.name) return x.name > y.name;
    if (x.value.size() != y.value.size()) return x.value.size() > y.value.size();
    return x.value > y.value;
  });
  for (auto* use : table_) {
    use->second.offset = table_size_;
    table_size_ += erofs::xattr_entry_size(use->first.name, use->first.value.size());
  }
}

std::optional<std::uint64_t> SharedXattrs::offset_of(const XattrView& xattr) const {
  if (uses_.empty()) return std::nullopt;
  const auto it = uses_.find(xattr);
  if (it == uses_.end()) return std::nullopt;
  return it->second.offset;
}

void SharedXattrs::encode(MutableByteSpan out) const {
  for (const auto* use : table_)
    out = out.subspan(erofs::encode_xattr_entry(use->first.name, use->first.value, out));
}

}  // namespace intact::composefs
