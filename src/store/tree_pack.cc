#include "tree_pack.h"

#include <algorithm>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/fsverity/tree.h>

namespace intact::store {
namespace {

constexpr std::array<char, 8> kMagic = {'I', 'n', 't', 'a', 'c', 't', 'M', 'T'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kGather = 1024 * 1024;

Error malformed(const std::string& why) {
  return Error(ErrorKind::malformed, "pack of hash trees: " + why);
}

/// A part of the pack, which it keeps open.
class Slice final : public ByteSource {
 public:
  Slice(std::shared_ptr<const TreePack> pack, const FileSource& file, const PackEntry& entry)
      : pack_(std::move(pack)), file_(file), offset_(entry.offset), length_(entry.length) {}
  std::uint64_t size() const override { return length_; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    if (offset > length_ || length_ - offset < out.size())
      return malformed("read beyond the end of a tree");
    return file_.read(offset_ + offset, out);
  }

 private:
  std::shared_ptr<const TreePack> pack_;
  const FileSource& file_;
  std::uint64_t offset_;
  std::uint64_t length_;
};

}  // namespace

Result<std::uint64_t> PackWriter::append(ByteSpan tree) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t offset = written_ + pending_.size();
  if (pending_.size() + tree.size() > kGather) TRY(flush());
  if (tree.size() > kGather) {
    TRY(pwrite_all(fd_.get(), written_, tree));
    written_ += tree.size();
  } else {
    pending_.insert(pending_.end(), tree.begin(), tree.end());
  }
  return offset;
}

Result<void> PackWriter::flush() {
  TRY(pwrite_all(fd_.get(), written_, pending_));
  written_ += pending_.size();
  pending_.clear();
  return {};
}

Result<void> PackWriter::finish(std::vector<PackEntry> entries) {
  const std::lock_guard lock(mutex_);
  std::sort(entries.begin(), entries.end(),
            [](const PackEntry& a, const PackEntry& b) { return a.digest < b.digest; });
  RawPackHeader header;
  header.magic = kMagic;
  header.version = kVersion;
  header.entry_size = sizeof(RawPackEntry);
  header.entry_count = entries.size();
  header.table_offset = written_ + pending_.size();
  for (const PackEntry& entry : entries) {
    RawPackEntry raw;
    const ByteSpan digest = entry.digest.bytes();
    if (digest.size() != raw.digest.size())
      return Error(ErrorKind::invalid_argument, "packs hold trees of SHA-256 only");
    std::copy(digest.begin(), digest.end(), raw.digest.begin());
    raw.data_size = entry.data_size;
    raw.offset = entry.offset;
    raw.length = entry.length;
    const ByteSpan bytes = bytes_of(raw);
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    if (pending_.size() >= kGather) TRY(flush());
  }
  TRY(flush());
  TRY(pwrite_all(fd_.get(), 0, bytes_of(header)));
  fd_.reset();
  return {};
}

Result<std::shared_ptr<const TreePack>> TreePack::open(UniqueFd fd) {
  auto file = TRY(FileSource::open(std::move(fd)));
  RawPackHeader header;
  if (file->size() < sizeof header) return malformed("shorter than its header");
  TRY(file->read(0, {reinterpret_cast<std::byte*>(&header), sizeof header}));
  if (header.magic != kMagic) return malformed("wrong magic number");
  if (header.version.get() != kVersion)
    return Error(ErrorKind::unsupported,
                 "pack of hash trees of version " + std::to_string(header.version.get()));
  if (header.entry_size.get() != sizeof(RawPackEntry)) return malformed("wrong size of an entry");
  const std::uint64_t count = header.entry_count.get();
  const std::uint64_t table = header.table_offset.get();
  const auto length = checked_multiply<std::uint64_t>(count, sizeof(RawPackEntry));
  if (!length || table < sizeof header || table > file->size() || file->size() - table != *length)
    return malformed("its table does not end where the file does");
  return std::shared_ptr<const TreePack>(new TreePack(std::move(file), count, table));
}

Result<PackEntry> TreePack::entry(std::uint64_t index) const {
  RawPackEntry raw;
  TRY(file_->read(table_offset_ + index * sizeof raw,
                  {reinterpret_cast<std::byte*>(&raw), sizeof raw}));
  PackEntry entry{Digest(HashAlgorithm::sha256, raw.digest), raw.data_size.get(), raw.offset.get(),
                  raw.length.get()};
  if (entry.data_size > INT64_MAX || entry.length != fsverity::tree_size(entry.data_size) ||
      entry.offset < sizeof(RawPackHeader) || entry.offset > table_offset_ ||
      table_offset_ - entry.offset < entry.length)
    return malformed("entry of " + entry.digest.hex() + " is out of bounds");
  return entry;
}

Result<std::optional<PackEntry>> TreePack::find(const Digest& digest) const {
  std::uint64_t low = 0;
  std::uint64_t high = entry_count_;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    std::array<std::byte, 32> at;
    TRY(file_->read(table_offset_ + middle * sizeof(RawPackEntry), at));
    const Digest found(HashAlgorithm::sha256, at);
    if (found == digest) return std::optional(TRY(entry(middle)));
    if (found < digest) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return std::optional<PackEntry>();
}

std::shared_ptr<const ByteSource> TreePack::tree(const PackEntry& entry) const {
  return std::make_shared<Slice>(shared_from_this(), *file_, entry);
}

}  // namespace intact::store
