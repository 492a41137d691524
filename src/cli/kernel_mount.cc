#include "kernel_mount.h"

#include <fmt/format.h>

#include <intact/fsverity/measure.h>
#include <intact/store/mount_lease.h>

#include "stored_objects.h"

namespace intact::cli {
namespace {

/// An object whose digest differs from its name is not an obstacle: overlayfs refuses to open it.
Result<void> check_objects_have_verity(const store::Store& store, const Digest& image) {
  std::size_t lacking = 0;
  std::string first;
  const auto objects = TRY(list_stored_objects(store, image));
  for (const composefs::ObjectReference& object : objects) {
    const auto fd = store.open_object(object.payload);
    if (fd && TRY(fsverity::measure_file(fd->get()))) continue;
    if (lacking++ == 0) first = object.payload;
  }
  if (lacking == 0) return {};
  return Error(
      ErrorKind::unsupported,
      fmt::format("store: {} of {} objects are missing or have no fs-verity (objects/{}); pull the "
                  "image again into a store on a file system with fs-verity, such as btrfs, f2fs, "
                  "or ext4 with the verity feature",
                  lacking, objects.size(), first));
}

serve::KernelVerity kernel_verity(image::VerityMode mode) {
  switch (mode) {
    case image::VerityMode::off:
      return serve::KernelVerity::off;
    // The kernel has no third mode. It generates digests only when it copies up, which a read-only
    // mount never does.
    case image::VerityMode::on:
    case image::VerityMode::validate:
      return serve::KernelVerity::on;
    case image::VerityMode::require:
      break;
  }
  return serve::KernelVerity::require;
}

}  // namespace

Result<serve::KernelMount> make_kernel_mount(const store::Store& store,
                                             const image::OpenedImage& image,
                                             const std::string& name, image::VerityMode verity,
                                             int image_file) {
  if (verity != image::VerityMode::off) TRY(check_objects_have_verity(store, image.image_digest()));
  serve::KernelLayers layers{.image = image_file,
                             .digest = image.image_digest(),
                             .objects = {TRY(store.folder(store::Folder::objects))}};
  for (std::size_t i = 0; i < store.object_dirs().size(); ++i) {
    // The kernel would serve content that nothing checks from any of them.
    if (verity == image::VerityMode::require ||
        store.object_dir_origin(i) == store::DirectoryOrigin::user)
      layers.objects.push_back(store.object_dir_fd(i));
  }
  return serve::KernelMount::create(layers, {.source = name, .verity = kernel_verity(verity)});
}

Result<void> mount_by_kernel(store::Store& store, const image::OpenedImage& image,
                             const std::string& name, const std::string& directory,
                             image::VerityMode verity) {
  store::MountLease lease = TRY(store::MountLease::take(store, image.image_digest()));
  auto mount = TRY(make_kernel_mount(store, image, name, verity, lease.image()));
  TRY(mount.attach(directory));
  lease.leave_to_kernel();
  return {};
}

bool is_kernel_mount(const serve::MountEntry& entry) {
  return entry.type == "overlay" && entry.source.starts_with(serve::kKernelMountSource);
}

}  // namespace intact::cli
