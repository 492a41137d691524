#include "content_check.h"

#include <algorithm>
#include <tuple>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>
#include <intact/fsverity/verified_file.h>

#include "layout.h"

namespace intact::store {
namespace {

Result<Digest> hash_blob(int fd, HashAlgorithm algorithm, std::uint64_t& size) {
  crypto::Hasher hasher(algorithm);
  Bytes buffer(256 * 1024);
  for (size = 0;;) {
    const std::size_t n = TRY(pread_up_to(fd, size, buffer));
    if (n == 0) return hasher.finish();
    hasher.update(ByteSpan(buffer).first(n));
    size += n;
  }
}

}  // namespace

void DamageList::add(StoreDamage damage) {
  const std::lock_guard lock(mutex_);
  if (list_.size() < most_) {
    list_.push_back(std::move(damage));
  } else {
    ++omitted_;
  }
}

void DamageList::take(FsckReport& report) {
  const std::lock_guard lock(mutex_);
  std::sort(list_.begin(), list_.end(), [](const StoreDamage& a, const StoreDamage& b) {
    return std::tie(a.images, a.path, a.object, a.range) <
           std::tie(b.images, b.path, b.object, b.range);
  });
  report.damaged = std::move(list_);
  report.omitted = omitted_;
}

ContentCheck::ContentCheck(const Store& store, const std::vector<NamedImage>& named,
                           unsigned threads, DamageList& damage)
    : store_(store), damage_(damage), pool_(threads) {
  const auto note = [](Names& names, const std::string& name) {
    if (names.empty() || names.back() != name) names.push_back(name);
  };
  for (const NamedImage& image : named) {
    note(names_of_[image.image.digest], image.name);
    note(blobs_[image.manifest], image.name);
    for (const EvidenceRef& evidence : image.evidence) note(blobs_[evidence.document], image.name);
    for (const Digest& blob : image.blobs) note(blobs_[blob], image.name);
  }
  for (auto* const map : {&names_of_, &blobs_})
    for (auto& [digest, names] : *map) std::ranges::sort(names);
  // These maps do not change any more.
  for (const auto& [digest, names] : blobs_)
    pool_.submit([this, &digest, &names]() -> Result<void> { return check_blob(digest, names); });
}

/// Something that cannot be opened is damage, unless the reason lies with us.
Result<void> ContentCheck::not_opened(StoreDamage damage, const Error& error) {
  if (error.concerns_caller()) return Error(error.kind(), error.message(), error.sys_errno());
  damage.reason = error.kind() == ErrorKind::not_found ? "is missing" : error.message();
  damage_.add(std::move(damage));
  return {};
}

Result<void> ContentCheck::check_blob(const Digest& digest, const Names& images) {
  StoreDamage damage{{.object = std::string(kBlobs) + "/" + blob_path(digest)}, images};
  const auto fd = store_.open_blob(digest);
  if (!fd) return not_opened(std::move(damage), fd.error());
  std::uint64_t size = 0;
  const auto found = hash_blob(fd->get(), digest.algorithm(), size);
  count(size);
  if (found && *found == digest) return {};
  damage.reason = found ? "its digest is " + found->to_string() : found.error().message();
  damage_.add(std::move(damage));
  return {};
}

Result<std::shared_ptr<const ContentCheck::Pack>> ContentCheck::open_pack(const NamedImage& image) {
  auto pack = std::make_shared<Pack>();
  pack->path = std::string(kTrees) + "/" + image.image.digest.hex();
  pack->images = names_of_.at(image.image.digest);
  auto fd = [&]() -> Result<UniqueFd> {
    return open_regular(TRY(store_.folder(Folder::trees)), image.image.digest.hex());
  }();
  if (!fd) {
    TRY(not_opened({{.object = pack->path}, pack->images}, fd.error()));
    return pack;
  }
  auto opened = TreePack::open(std::move(*fd));
  if (opened) {
    pack->pack = std::move(*opened);
  } else {
    damage_.add({{.object = pack->path, .reason = opened.error().message()}, pack->images});
  }
  return pack;
}

Result<std::vector<ImageObject>> ContentCheck::check_image(const NamedImage& image,
                                                           const ListObjects& list_objects) {
  const auto [known, first] = images_.try_emplace(image.image.digest);
  if (!first) return known->second;
  const std::shared_ptr<const Pack> pack = TRY(open_pack(image));
  auto objects = TRY(list_image(image, *pack, list_objects));
  if (!objects) {
    all_listed_ = false;
    return std::vector<ImageObject>();
  }
  for (const ImageObject& object : *objects) {
    const auto [entry, added] = objects_.try_emplace(object.payload);
    if (added) entry->second.object = object;
    Names& names = entry->second.images;
    names.insert(names.end(), pack->images.begin(), pack->images.end());
    entry->second.packs.push_back(pack);
  }
  known->second = std::move(*objects);
  return known->second;
}

Result<std::optional<std::vector<ImageObject>>> ContentCheck::list_image(
    const NamedImage& image, const Pack& pack, const ListObjects& list_objects) {
  if (!TRY(hash_image(image, pack))) return std::nullopt;
  auto objects = list_objects(image.image);
  if (objects) return std::move(*objects);
  TRY(not_opened({{.object = std::string(kImages) + "/" + image.image.digest.hex()}, pack.images},
                 objects.error()));
  return std::nullopt;
}

Result<bool> ContentCheck::hash_image(const NamedImage& image, const Pack& pack) {
  const std::string path = std::string(kImages) + "/" + image.image.digest.hex();
  auto fd = store_.open_image(image.image.digest);
  if (!fd) {
    TRY(not_opened({{.object = path}, pack.images}, fd.error()));
    return false;
  }
  const auto tree = fsverity::build_tree(fd->get());
  if (tree) count(tree->data_size);
  if (tree && tree->digest == image.image.digest) {
    check_tree(pack, image.image.digest, "the image", tree->blocks);
    return true;
  }
  // Where it is damaged, the stored tree tells.
  const auto size = file_size(fd->get());
  std::shared_ptr<const ByteSource> stored;
  std::uint64_t expected = size ? *size : 0;
  if (pack.pack) {
    const auto entry = pack.pack->find(image.image.digest);
    if (entry && *entry) {
      stored = pack.pack->tree(**entry);
      expected = (*entry)->data_size;
    }
  }
  add_blocks({{.object = path}, pack.images},
             fsverity::scan_file(std::move(*fd), expected, image.image.digest, stored));
  return false;
}

/// Adds what a scan found: each block of `damage`, or all of it.
void ContentCheck::add_blocks(StoreDamage damage, const Result<std::vector<Damage>>& blocks) {
  if (!blocks || blocks->empty()) {
    damage.reason = blocks ? "its digest is another" : blocks.error().message();
    damage_.add(std::move(damage));
    return;
  }
  for (const Damage& block : *blocks) {
    damage.range = block.range;
    damage.reason = block.reason;
    damage_.add(damage);
  }
}

StoreDamage ContentCheck::damage_of(const Object& object) {
  return {
      {.object = std::string(kObjects) + "/" + object.object.payload, .path = object.object.path},
      object.images};
}

Result<void> ContentCheck::check_object(const Object& object) {
  StoreDamage damage = damage_of(object);
  auto fd = store_.open_object(object.object.payload);
  if (!fd) return not_opened(std::move(damage), fd.error());
  const auto digest = parse_object_path(object.object.payload);
  if (!digest || digest->algorithm() != HashAlgorithm::sha256) {
    damage.reason = "its name is not a digest that this store makes";
    damage_.add(std::move(damage));
    return {};
  }
  // Before anything is hashed: a sparse file can be made so long that this would never end.
  const auto size = file_size(fd->get());
  if (size && *size != object.object.size) {
    damage.reason = "has " + std::to_string(*size) + " bytes, but the image says " +
                    std::to_string(object.object.size);
    damage_.add(std::move(damage));
    return {};
  }
  const auto tree = fsverity::build_tree(fd->get());
  if (tree) count(tree->data_size);
  if (!tree || tree->digest != *digest) return check_damaged_object(object, *digest);
  check_trees(object, *digest, tree->blocks);
  return {};
}

Result<void> ContentCheck::check_damaged_object(const Object& object, const Digest& digest) {
  StoreDamage damage = damage_of(object);
  std::shared_ptr<const ByteSource> stored;
  for (const auto& pack : object.packs) {
    if (stored || !pack->pack) continue;
    const auto entry = pack->pack->find(digest);
    if (entry && *entry && (*entry)->data_size == object.object.size)
      stored = pack->pack->tree(**entry);
  }
  auto fd = store_.open_object(object.object.payload);
  if (!fd) return not_opened(std::move(damage), fd.error());
  add_blocks(std::move(damage),
             fsverity::scan_file(std::move(*fd), object.object.size, digest, stored));
  return {};
}

void ContentCheck::check_trees(const Object& object, const Digest& digest, ByteSpan blocks) {
  for (const auto& pack : object.packs) check_tree(*pack, digest, object.object.path, blocks);
}

void ContentCheck::check_tree(const Pack& pack, const Digest& digest, const std::string& what,
                              ByteSpan blocks) {
  if (!pack.pack || blocks.empty()) return;  // a pack that cannot be opened is known already
  StoreDamage damage{{.object = pack.path}, pack.images};
  const auto entry = pack.pack->find(digest);
  if (!entry) {
    damage.reason = entry.error().message();
    return damage_.add(std::move(damage));
  }
  if (!*entry || (*entry)->length != blocks.size()) {
    damage.reason = "has no hash tree for " + what;
    return damage_.add(std::move(damage));
  }
  Bytes stored(blocks.size());
  const auto read = pack.pack->tree(**entry)->read(0, stored);
  if (read && equal(stored, blocks)) return;
  damage.reason = read ? "the hash tree of " + what + " is damaged" : read.error().message();
  damage_.add(std::move(damage));
}

Result<void> ContentCheck::finish(FsckReport& report) {
  for (auto& [payload, object] : objects_) {
    std::ranges::sort(object.images);
    const Object* const next = &object;
    pool_.submit([this, next]() -> Result<void> { return check_object(*next); });
  }
  TRY(pool_.wait());
  report.images = images_.size();
  report.objects = objects_.size();
  report.blobs = blobs_.size();
  report.bytes = bytes_;
  return {};
}

}  // namespace intact::store
