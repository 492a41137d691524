#include "inventory.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/store/name.h>

#include "layout.h"
#include "record.h"

namespace intact::store {
namespace {

using Visit = std::function<Result<void>(Item)>;

bool is_temporary(std::string_view name) {
  return name.starts_with('.') && name.find(".tmp") != std::string_view::npos;
}

/// The names in a directory; none if we may not read it.
Result<std::vector<std::string>> list_readable(const Store& store, const std::string& path) {
  auto names = list_directory(store.dir_fd(), path);
  if (!names && names.error().sys_errno() == EACCES) return std::vector<std::string>();
  return std::move(names).context(store.path());
}

Result<void> visit_top(const Store& store, const Visit& visit) {
  static constexpr std::array<std::string_view, 10> kOurs = {
      kMarkerFile, kObjects, kImages, kTrees,  kBlobs,
      kNames,      kStaging, kLeases, kGcLock, kNamesLock};
  for (const std::string& name : TRY(list_readable(store, "."))) {
    bool ours = false;
    for (const std::string_view known : kOurs) ours |= name == known;
    if (ours) continue;
    const bool left = name.starts_with("." + std::string(kMarkerFile) + ".tmp");
    TRY(visit({left ? ItemKind::temporary : ItemKind::foreign, name, std::nullopt}));
  }
  return {};
}

/// A directory of files that are named by a digest.
Result<void> visit_digests(const Store& store, const std::string& dir, ItemKind kind,
                           const Visit& visit) {
  for (const std::string& name : TRY(list_readable(store, dir))) {
    auto digest = parse_file_name(name);
    TRY(visit({digest ? kind : ItemKind::foreign, fmt::format("{}/{}", dir, name), digest}));
  }
  return {};
}

Result<void> visit_objects(const Store& store, const Visit& visit) {
  for (const std::string& first : TRY(list_readable(store, kObjects))) {
    const std::string dir = std::string(kObjects) + "/" + first;
    if (first.size() != 2 || !from_hex(first)) {
      TRY(visit({ItemKind::foreign, dir, std::nullopt}));
      continue;
    }
    auto names = list_readable(store, dir);
    // A symlink or a file in its place hides objects, which is told of each; it has none itself.
    if (!names &&
        (names.error().kind() == ErrorKind::malformed || names.error().sys_errno() == ENOTDIR)) {
      TRY(visit({ItemKind::foreign, dir, std::nullopt}));
      continue;
    }
    for (const std::string& name : TRY(std::move(names))) {
      auto digest = parse_file_name(first + name);
      TRY(visit({digest ? ItemKind::object : ItemKind::foreign, fmt::format("{}/{}", dir, name),
                 digest}));
    }
  }
  return {};
}

Result<void> visit_blobs(const Store& store, const Visit& visit) {
  for (const std::string& algorithm : TRY(list_readable(store, kBlobs))) {
    const std::string dir = std::string(kBlobs) + "/" + algorithm;
    if (algorithm != "sha256" && algorithm != "sha512") {
      TRY(visit({ItemKind::foreign, dir, std::nullopt}));
      continue;
    }
    for (const std::string& name : TRY(list_readable(store, dir))) {
      auto digest = parse_file_name(name);
      const bool ours = digest && to_string(digest->algorithm()) == algorithm;
      TRY(visit(
          {ours ? ItemKind::blob : ItemKind::foreign, fmt::format("{}/{}", dir, name), digest}));
    }
  }
  return {};
}

Result<void> visit_names(const Store& store, const Visit& visit) {
  constexpr std::string_view kEnd = ".json";
  for (const std::string& name : TRY(list_readable(store, kNames))) {
    ItemKind kind = ItemKind::foreign;
    if (is_temporary(name)) {
      kind = ItemKind::temporary;
    } else if (name.ends_with(kEnd) &&
               decode_name(std::string_view(name).substr(0, name.size() - kEnd.size()))) {
      kind = ItemKind::name;
    }
    TRY(visit({kind, std::string(kNames) + "/" + name, std::nullopt}));
  }
  return {};
}

}  // namespace

Result<void> take_inventory(const Store& store, const Visit& visit) {
  TRY(visit_top(store, visit));
  TRY(visit_names(store, visit));
  for (const std::string& name : TRY(list_readable(store, kLeases)))
    TRY(visit({ItemKind::lease, std::string(kLeases) + "/" + name, parse_lease_name(name)}));
  // Images go before what they refer to: an image that is there has its objects.
  TRY(visit_digests(store, kImages, ItemKind::image, visit));
  TRY(visit_digests(store, kTrees, ItemKind::tree, visit));
  TRY(visit_blobs(store, visit));
  TRY(visit_objects(store, visit));
  for (const std::string& name : TRY(list_readable(store, kStaging)))
    TRY(visit({ItemKind::staging, std::string(kStaging) + "/" + name, std::nullopt}));
  return {};
}

Result<bool> is_alive(const Store& store, const Item& item) {
  const std::string path =
      item.kind == ItemKind::staging ? item.path + "/" + kStagingLock : item.path;
  auto fd = open_beneath(store.dir_fd(), path, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    const int reason = fd.error().sys_errno();
    if (reason == ENOENT || reason == ENOTDIR) return false;
    if (reason == EACCES) return true;
    return std::move(fd).error().with_context(store.path());
  }
  if (item.kind == ItemKind::lease && is_mount_lease_name(item.path))
    return is_open_elsewhere(fd->get());
  return !TRY(try_lock_exclusive(fd->get()));
}

void References::add(const NamedImage& image) {
  images.insert(image.image);
  blobs.insert(image.manifest);
  if (image.signature_manifest) blobs.insert(*image.signature_manifest);
  blobs.insert(image.blobs.begin(), image.blobs.end());
}

Result<void> add_leases(const Store& store, References& references) {
  for (const std::string& name : TRY(list_readable(store, kLeases))) {
    const Item lease{ItemKind::lease, std::string(kLeases) + "/" + name, parse_lease_name(name)};
    if (!TRY(is_alive(store, lease))) continue;
    // The image is in the lease's name; the record may be missing when the disk was full.
    if (lease.digest) references.images.insert(*lease.digest);
    if (is_mount_lease_name(name)) continue;  // the image itself
    const auto file = open_regular(store.dir_fd(), lease.path);
    if (!file) continue;
    const auto bytes = read_fd(file->get(), kRecordLimit);
    if (!bytes) continue;
    if (const auto record = parse_record(*bytes)) references.add(*record);
  }
  return {};
}

}  // namespace intact::store
