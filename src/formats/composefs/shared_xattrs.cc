#include "shared_xattrs.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

#include <xxhash.h>

#include <intact/erofs/xattr.h>

#include "format.h"

namespace intact::composefs {
namespace {

/// The hashes that occur more than once in all lists together, each once and sorted.
std::vector<std::uint64_t> repeated_of(std::vector<std::vector<std::uint64_t>> sorted) {
  std::vector<std::uint64_t> all;
  for (auto& list : sorted) {
    std::vector<std::uint64_t> merged;
    merged.reserve(all.size() + list.size());
    std::ranges::merge(all, list, std::back_inserter(merged));
    list = {};
    all = std::move(merged);
  }
  auto out = all.begin();
  for (auto it = all.begin(); it != all.end();) {
    const auto end = std::find_if(it, all.end(), [&](std::uint64_t v) { return v != *it; });
    if (end - it > 1) *out++ = *it;
    it = end;
  }
  all.erase(out, all.end());
  all.shrink_to_fit();
  return all;
}

}  // namespace

std::uint64_t SharedXattrs::hash_of(const XattrView& xattr) {
  // Random, so that nobody can make xattrs that collide; the order of hashes shows nowhere.
  static const std::uint64_t seed = std::random_device{}() * 0x9e3779b97f4a7c15ull;
  const XXH64_hash_t name = XXH3_64bits_withSeed(xattr.name.data(), xattr.name.size(), seed);
  return XXH3_64bits_withSeed(xattr.value.data(), xattr.value.size(), name);
}

Result<void> SharedXattrs::hash_range(const Numbering& numbering, Rewriter rewriter,
                                      NodeRange range, Found& found) {
  found.hashes.reserve(std::size_t{range.end - range.begin} * 2);
  for (NodeNumber i = range.begin; i < range.end; ++i) {
    for (const XattrView& xattr : *TRY(rewriter.xattrs(numbering.nodes()[i]))) {
      found.hashes.push_back(hash_of(xattr));
      if (xattr.name == kAclAccess || xattr.name == kAclDefault) found.has_acl = true;
    }
  }
  return {};
}

/// Counts what may be shared; `numbers` receives for each attribute its number among those.
Result<void> SharedXattrs::count_range(const Numbering& numbering, Rewriter rewriter,
                                       NodeRange range, const std::vector<std::uint64_t>& repeated,
                                       Found& found, std::vector<std::uint32_t>& numbers) {
  numbers.reserve(found.hashes.size());
  for (NodeNumber i = range.begin; i < range.end; ++i) {
    for (const XattrView& xattr : *TRY(rewriter.xattrs(numbering.nodes()[i]))) {
      const std::uint64_t hash = found.hashes[numbers.size()];
      if (!std::binary_search(repeated.begin(), repeated.end(), hash)) {
        numbers.push_back(kNotShared);
        continue;
      }
      auto it = found.uses.find(View{hash, xattr});
      if (it == found.uses.end())
        it = found.uses
                 .emplace(Key{hash, std::string(xattr.name), std::string(xattr.value)},
                          Use{.number = static_cast<std::uint32_t>(found.uses.size())})
                 .first;
      ++it->second.count;
      numbers.push_back(it->second.number);
    }
  }
  return {};
}

// Nearly every file has attributes of its own (the name of its object), so counting them all would
// take several times the memory of the tree. A list of hashes tells which can be shared at all;
// only those are then kept and compared in full.
Result<SharedXattrs> SharedXattrs::collect(const Numbering& numbering, unsigned format_version,
                                           const std::vector<NodeRange>& ranges, unsigned threads) {
  SharedXattrs shared;
  const Rewriter rewriter(numbering, format_version);
  std::vector<Found> found(ranges.size());
  std::vector<std::vector<std::uint64_t>> sorted(ranges.size());
  TRY(for_each_range(ranges.size(), threads, [&](std::size_t i) -> Result<void> {
    TRY(hash_range(numbering, rewriter, ranges[i], found[i]));
    sorted[i] = found[i].hashes;
    std::sort(sorted[i].begin(), sorted[i].end());
    return {};
  }));
  const auto repeated = repeated_of(std::move(sorted));
  shared.places_.resize(ranges.size());
  TRY(for_each_range(ranges.size(), threads, [&](std::size_t i) -> Result<void> {
    TRY(count_range(numbering, rewriter, ranges[i], repeated, found[i], shared.places_[i]));
    found[i].hashes = {};
    return {};
  }));
  shared.merge(found);
  return shared;
}

/// Joins what the ranges have found, and turns the numbers in places_ into places.
void SharedXattrs::merge(std::vector<Found>& found) {
  std::vector<std::vector<Use*>> by_number(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    has_acl_ |= found[i].has_acl;
    by_number[i].resize(found[i].uses.size());
    while (!found[i].uses.empty()) {
      auto node = found[i].uses.extract(found[i].uses.begin());
      const std::uint32_t number = node.mapped().number;
      const std::uint64_t count = std::exchange(node.mapped().count, 0);
      Use& use = uses_.insert(std::move(node)).position->second;
      use.count += count;
      by_number[i][number] = &use;
    }
  }
  lay_out();
  for (std::size_t i = 0; i < found.size(); ++i)
    for (std::uint32_t& place : places_[i]) {
      if (place == kNotShared) continue;
      const Use& use = *by_number[i][place];
      place = use.count < 2 ? kNotShared : static_cast<std::uint32_t>(use.offset / 4);
    }
}

void SharedXattrs::lay_out() {
  for (auto& use : uses_)
    if (use.second.count >= 2) table_.push_back(&use);
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

void SharedXattrs::encode(MutableByteSpan out) const {
  for (const auto* use : table_)
    out = out.subspan(erofs::encode_xattr_entry(use->first.name, use->first.value, out));
}

}  // namespace intact::composefs
