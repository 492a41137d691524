#include "inventory.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/store/name.h>

#include "layout.h"
#include "record.h"

namespace intact::store {
namespace {

using Visit = std::function<Result<void>(const Item&)>;

bool is_temporary(std::string_view name) {
  return name.starts_with('.') && name.find(".tmp") != std::string_view::npos;
}

/// An open directory and the names in it; none if it is missing or we may not read it.
struct Listing {
  int directory = -1;
  std::vector<std::string> names;
};

Result<Listing> list_readable(Result<int> directory, const std::string& where) {
  const auto passed_over = [](const Error& error) {
    return error.sys_errno() == EACCES || error.kind() == ErrorKind::not_found;
  };
  if (!directory && passed_over(directory.error())) return Listing();
  const int fd = TRY(std::move(directory));
  auto names = list_names(fd);
  if (!names && passed_over(names.error())) return Listing();
  return Listing{fd, TRY(std::move(names).context(where))};
}

Result<Listing> list_readable(const Store& store, Folder folder) {
  return list_readable(store.folder(folder), store.path() + "/" + folder_path(folder));
}

Item item_in(Folder folder, int directory, const std::string& name, ItemKind kind,
             std::optional<Digest> digest = std::nullopt) {
  return {kind, directory, name, fmt::format("{}/{}", folder_path(folder), name), digest};
}

Result<void> visit_top(const Store& store, const Visit& visit) {
  static constexpr std::array<std::string_view, 10> kOurs = {
      kMarkerFile, kObjects, kImages, kTrees,  kBlobs,
      kNames,      kStaging, kLeases, kGcLock, kNamesLock};
  const Listing top = TRY(list_readable(store.dir_fd(), store.path()));
  for (const std::string& name : top.names) {
    bool ours = false;
    for (const std::string_view known : kOurs) ours |= name == known;
    if (ours) continue;
    const bool left = name.starts_with("." + std::string(kMarkerFile) + ".tmp");
    TRY(visit(
        {left ? ItemKind::temporary : ItemKind::foreign, top.directory, name, name, std::nullopt}));
  }
  return {};
}

/// A directory of files that are named by a digest.
Result<void> visit_digests(const Store& store, Folder folder, ItemKind kind, const Visit& visit) {
  const Listing listing = TRY(list_readable(store, folder));
  for (const std::string& name : listing.names) {
    const auto digest = parse_file_name(name);
    TRY(visit(item_in(folder, listing.directory, name, digest ? kind : ItemKind::foreign, digest)));
  }
  return {};
}

/// The objects whose digests begin with the two digits `first`.
Result<void> visit_objects_of(int objects, const std::string& first, const Visit& visit) {
  const Item itself = item_in(Folder::objects, objects, first, ItemKind::foreign);
  if (first.size() != 2 || !from_hex(first)) return visit(itself);
  auto opened = open_beneath(objects, first, O_RDONLY | O_DIRECTORY);
  // A symbolic link or a file in its place hides objects, and each of them is reported missing.
  if (!opened &&
      (opened.error().kind() == ErrorKind::malformed || opened.error().sys_errno() == ENOTDIR))
    return visit(itself);
  const UniqueFd directory = opened ? std::move(*opened) : UniqueFd();
  const Listing listing = TRY(list_readable(
      opened ? Result<int>(directory.get()) : Result<int>(std::move(opened).error()), itself.path));
  for (const std::string& name : listing.names) {
    const auto digest = parse_file_name(first + name);
    TRY(visit({digest ? ItemKind::object : ItemKind::foreign, directory.get(), name,
               fmt::format("{}/{}", itself.path, name), digest}));
  }
  return {};
}

Result<void> visit_objects(const Store& store, const Visit& visit) {
  const Listing objects = TRY(list_readable(store, Folder::objects));
  for (const std::string& first : objects.names)
    TRY(visit_objects_of(objects.directory, first, visit));
  return {};
}

Result<void> visit_blobs(const Store& store, const Visit& visit) {
  const Listing blobs = TRY(list_readable(store, Folder::blobs));
  for (const std::string& name : blobs.names) {
    if (name != "sha256" && name != "sha512")
      TRY(visit(item_in(Folder::blobs, blobs.directory, name, ItemKind::foreign)));
  }
  for (const Folder folder : {Folder::sha256, Folder::sha512}) {
    TRY(visit_digests(store, folder, ItemKind::blob, [&](const Item& item) {
      Item blob = item;
      if (blob.digest && blob_folder(*blob.digest) != folder) blob.kind = ItemKind::foreign;
      return visit(blob);
    }));
  }
  return {};
}

Result<void> visit_names(const Store& store, const Visit& visit) {
  constexpr std::string_view kEnd = ".json";
  const Listing names = TRY(list_readable(store, Folder::names));
  for (const std::string& name : names.names) {
    ItemKind kind = ItemKind::foreign;
    if (is_temporary(name)) {
      kind = ItemKind::temporary;
    } else if (name.ends_with(kEnd) &&
               decode_name(std::string_view(name).substr(0, name.size() - kEnd.size()))) {
      kind = ItemKind::name;
    }
    TRY(visit(item_in(Folder::names, names.directory, name, kind)));
  }
  return {};
}

Result<void> visit_leases(const Store& store, const Visit& visit) {
  const Listing leases = TRY(list_readable(store, Folder::leases));
  for (const std::string& name : leases.names)
    TRY(visit(
        item_in(Folder::leases, leases.directory, name, ItemKind::lease, parse_lease_name(name))));
  return {};
}

}  // namespace

Result<void> take_inventory(const Store& store, const Visit& visit) {
  TRY(visit_top(store, visit));
  TRY(visit_names(store, visit));
  TRY(visit_leases(store, visit));
  // Images before what they refer to: an image that is there has its objects.
  TRY(visit_digests(store, Folder::images, ItemKind::image, visit));
  TRY(visit_digests(store, Folder::trees, ItemKind::tree, visit));
  TRY(visit_blobs(store, visit));
  TRY(visit_objects(store, visit));
  const Listing staging = TRY(list_readable(store, Folder::staging));
  for (const std::string& name : staging.names)
    TRY(visit(item_in(Folder::staging, staging.directory, name, ItemKind::staging)));
  return {};
}

Result<bool> is_alive(const Store& store, const Item& item) {
  const std::string path =
      item.kind == ItemKind::staging ? item.name + "/" + kStagingLock : item.name;
  auto fd = open_beneath(item.directory, path, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    const int reason = fd.error().sys_errno();
    if (reason == ENOENT || reason == ENOTDIR) return false;
    // A symbolic link was not made by a process of this program.
    if (fd.error().kind() == ErrorKind::malformed) return false;
    if (reason == EACCES) return true;
    return std::move(fd).error().with_context(store.path() + "/" + item.path);
  }
  if (item.kind == ItemKind::lease && is_mount_lease_name(item.name))
    return is_open_elsewhere(fd->get());
  return !TRY(try_lock_exclusive(fd->get()));
}

void References::add(const NamedImage& image) {
  images[image.image.digest] = image.image.format;
  blobs.insert(image.manifest);
  for (const EvidenceRef& evidence : image.evidence) blobs.insert(evidence.document);
  blobs.insert(image.blobs.begin(), image.blobs.end());
}

Result<void> add_leases(const Store& store, References& references) {
  return visit_leases(store, [&](const Item& lease) -> Result<void> {
    if (!TRY(is_alive(store, lease))) return {};
    // The image is in the lease's name; the record may be missing when the disk was full.
    if (lease.digest) references.images.try_emplace(*lease.digest, kFirstFormat);
    if (is_mount_lease_name(lease.name)) return {};  // the image itself
    const auto file = open_regular(lease.directory, lease.name);
    if (!file) return {};
    const auto bytes = read_fd(file->get(), kRecordLimit);
    if (!bytes) return {};
    if (const auto record = parse_record(*bytes)) references.add(*record);
    return {};
  });
}

}  // namespace intact::store
