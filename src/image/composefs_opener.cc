#include "composefs_opener.h"

#include <algorithm>
#include <cerrno>

#include <intact/fsverity/verified_file.h>

namespace intact::image {
namespace {

/// A file of `source.size()` bytes.
class SourceFile final : public tree::OpenFile {
 public:
  explicit SourceFile(std::unique_ptr<const ByteSource> source) : source_(std::move(source)) {}

  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan out) override {
    const std::uint64_t size = source_->size();
    if (offset >= size) return std::size_t{0};
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset));
    TRY(source_->read(offset, out.first(count)));
    return count;
  }

 private:
  std::unique_ptr<const ByteSource> source_;
};

Result<std::shared_ptr<tree::OpenFile>> as_open_file(std::unique_ptr<const ByteSource> source) {
  return std::shared_ptr<tree::OpenFile>(std::make_shared<SourceFile>(std::move(source)));
}

}  // namespace

Result<std::shared_ptr<tree::OpenFile>> StoreObjectOpener::open(const std::string& payload,
                                                                const std::optional<Digest>& digest,
                                                                std::uint64_t size,
                                                                tree::NodeId node) const {
  const bool checked = digest && mode_ != VerityMode::off;
  auto opened = checked ? store_->open_object(payload) : store_->open_unchecked_object(payload);
  if (!opened) {
    const int code = opened.error().sys_errno();
    // A shortage of this process says nothing about the object.
    if (code == EMFILE || code == ENFILE || code == ENOMEM) return std::move(opened).error();
    tell(payload, node,
         {.range = DamagedRange(), .reason = "cannot be opened: " + opened.error().message()});
    // One that is gone is damage: "not found" is for names.
    if (opened.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::tampered,
                   "objects/" + payload + " is missing from the store: pull the image again");
    return std::move(opened).error();
  }
  struct stat st;
  if (::fstat(opened->get(), &st) != 0) return Error::from_errno("objects/" + payload, errno);
  const auto key = OpenObjects::key_of(node, st);
  if (auto known = open_.find(key)) return known;
  auto file = TRY(open_file(std::move(*opened), payload, digest, size, node));
  open_.add(key, file);
  return file;
}

Result<std::shared_ptr<tree::OpenFile>> StoreObjectOpener::open_file(
    UniqueFd object, const std::string& payload, const std::optional<Digest>& digest,
    std::uint64_t size, tree::NodeId node) const {
  if (mode_ == VerityMode::off) {
    auto source = TRY(FileSource::open(std::move(object)));
    if (source->size() != size) {
      tell(payload, node,
           {.range = DamagedRange(),
            .reason =
                "has " + std::to_string(source->size()) + " bytes, not " + std::to_string(size)});
      return Error(ErrorKind::tampered, "objects/" + payload + " has the wrong size");
    }
    return as_open_file(std::move(source));
  }
  if (!digest) {
    tell(payload, node, {.range = DamagedRange(), .reason = "has no digest in the image"});
    if (mode_ == VerityMode::require)
      return Error(ErrorKind::tampered,
                   "objects/" + payload + " has no digest in the image, so nothing can check it");
    return as_open_file(TRY(FileSource::open(std::move(object))));
  }
  auto report = [this, payload, node](const Damage& damage) { tell(payload, node, damage); };
  auto verified = fsverity::VerifiedFile::open(
      std::move(object), size, *digest, TRY(store_->tree_of(image_, *digest)), report, hashes_);
  if (!verified) return std::move(verified).error();
  return as_open_file(std::move(*verified));
}

void StoreObjectOpener::tell(const std::string& payload, tree::NodeId node, Damage damage) const {
  if (!damage_) return;
  const auto tree = tree_.lock();
  damage.object = "objects/" + payload;
  if (tree) damage.path = tree->path_of(node);
  damage_(damage);
}

}  // namespace intact::image
