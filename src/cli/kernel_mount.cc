#include "kernel_mount.h"

#include <cerrno>

#include <fmt/format.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <intact/fsverity/measure.h>
#include <intact/image/stored_images.h>
#include <intact/store/mount_lease.h>

namespace intact::cli {
namespace {

Error unsupported(std::string message) {
  return Error(ErrorKind::unsupported, std::move(message));
}

/// What the caller and the kernel lack is reported first: no change to the store would help.
Result<void> check_kernel() {
  for (const char* const type : {"erofs", "overlay"}) {
    const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
    if (context) continue;
    if (errno == EPERM)
      return unsupported("only root (CAP_SYS_ADMIN) can mount; use --method fuse");
    if (errno == ENODEV)
      return unsupported(fmt::format("this kernel has no {}; use --method fuse", type));
    if (errno == ENOSYS)
      return unsupported("this kernel is older than Linux 5.2; use --method fuse");
  }
  return {};
}

/// Whether the file system of the file has fs-verity at all.
bool can_have_verity(int fd) {
  fsverity_digest digest{};
  return ::ioctl(fd, FS_IOC_MEASURE_VERITY, &digest) == 0 ||
         (errno != ENOTTY && errno != EOPNOTSUPP && errno != ENOSYS);
}

Error no_verity_here(const store::Store& store) {
  return unsupported(
      fmt::format("{}: the file system has no fs-verity; use a store on btrfs, f2fs, or ext4 with "
                  "the feature verity",
                  store.path()));
}

/// An object with another digest than its name says is not an obstacle: overlayfs refuses to open
/// it.
Result<void> check_objects_have_verity(const store::Store& store, const store::ImageId& image) {
  std::size_t lacking = 0;
  std::size_t missing = 0;
  bool can_have = true;
  std::string first;
  const auto objects = TRY(image::stored_objects(store, image));
  for (const store::ImageObject& object : objects) {
    const auto fd = store.open_object(object.payload);
    if (fd && TRY(fsverity::measure_file(fd->get()))) continue;
    if (lacking++ == 0) first = object.payload;
    if (fd) {
      can_have = can_have && can_have_verity(fd->get());
    } else if (fd.error().concerns_caller()) {
      return Error(fd.error().kind(), fd.error().message(), fd.error().sys_errno());
    } else if (missing++ == 0) {
      first = object.payload;
    }
  }
  if (missing > 0)
    return unsupported(
        fmt::format("{} of {} objects are missing from the store (objects/{}); pull "
                    "the image again",
                    missing, objects.size(), first));
  if (!can_have) return no_verity_here(store);
  if (lacking > 0)
    return unsupported(
        fmt::format("{} of {} objects have no fs-verity (objects/{}); pull it again with --verify",
                    lacking, objects.size(), first));
  return {};
}

kernel::Verity kernel_verity(image::VerityMode mode) {
  switch (mode) {
    case image::VerityMode::off:
      return kernel::Verity::off;
    // The kernel has no third mode. It generates digests only when it copies up, which a read-only
    // mount never does.
    case image::VerityMode::on:
    case image::VerityMode::validate:
      return kernel::Verity::on;
    case image::VerityMode::require:
      break;
  }
  return kernel::Verity::require;
}

}  // namespace

Result<kernel::ImageMount> make_kernel_mount(const store::Store& store,
                                             const image::OpenedImage& image,
                                             const std::string& name, image::VerityMode verity,
                                             int image_file) {
  TRY(check_kernel());
  if (verity != image::VerityMode::off) {
    // The image alone says so in nearly all stores without fs-verity. Every start of a container
    // asks, and an image has thousands of objects.
    if (!can_have_verity(image_file)) return no_verity_here(store);
    if (!TRY(fsverity::measure_file(image_file)))
      return unsupported("the image has no fs-verity; pull it again with --verify");
    TRY(check_objects_have_verity(store, image.image()));
  }
  kernel::ImageLayers layers{.image = image_file,
                             .digest = image.image_digest(),
                             .objects = {TRY(store.folder(store::Folder::objects))}};
  for (std::size_t i = 0; i < store.object_dirs().size(); ++i) {
    // The kernel would serve content that nothing checks from any of them.
    if (verity == image::VerityMode::require ||
        store.object_dir_origin(i) == store::DirectoryOrigin::user)
      layers.objects.push_back(store.object_dir_fd(i));
  }
  return kernel::ImageMount::create(layers, {.source = name, .verity = kernel_verity(verity)});
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
  return entry.type == "overlay" && entry.source.starts_with(kernel::kImageMountSource);
}

}  // namespace intact::cli
