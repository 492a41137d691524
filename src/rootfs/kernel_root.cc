#include <fmt/format.h>

#include <intact/fsverity/measure.h>
#include <intact/image/stored_images.h>
#include <intact/rootfs/root.h>

namespace intact::rootfs {
namespace {

Error unsupported(std::string message) {
  return Error(ErrorKind::unsupported, std::move(message));
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
      can_have = can_have && fsverity::is_supported(fd->get());
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

bool leaves_to_fuse(const Methods& methods, const Error& error) {
  return methods.fuse && error.kind() == ErrorKind::unsupported;
}

/// Makes the mount of the image's open file. The mount keeps it open.
Result<kernel::ImageMount> mount_image(const RootSource& source, image::VerityMode verity,
                                       int image_file) {
  const store::Store& store = *source.store;
  const Digest& digest = source.image->image_digest();
  // Reported first: no change to the store would help.
  TRY(kernel::check_can_mount_images());
  if (verity != image::VerityMode::off) {
    // The image alone says so in nearly all stores without fs-verity. Every start of a container
    // asks, and an image has thousands of objects.
    if (!fsverity::is_supported(image_file)) return no_verity_here(store);
    if (!TRY(fsverity::measure_file(image_file)))
      return unsupported("the image has no fs-verity; pull it again with --verify");
    TRY(check_objects_have_verity(store, source.image->image()));
  }
  kernel::ImageLayers layers{.image = image_file,
                             .digest = digest,
                             .objects = {TRY(store.folder(store::Folder::objects))}};
  for (std::size_t i = 0; i < store.object_dirs().size(); ++i) {
    // The kernel would serve content that nothing checks from any of them.
    if (verity == image::VerityMode::require ||
        store.object_dir_origin(i) == store::DirectoryOrigin::user)
      layers.objects.push_back(store.object_dir_fd(i));
  }
  return kernel::ImageMount::create(
      layers, {.source = source.image->record().name, .verity = kernel_verity(verity)});
}

}  // namespace

Result<std::optional<KernelRoot>> KernelRoot::mount(const RootSource& source, const RootSpec& spec,
                                                    Hold hold) {
  const Methods methods = methods_for(spec);
  if (!methods.kernel) {
    if (methods.fuse) return std::optional<KernelRoot>();
    return Error(ErrorKind::invalid_argument,
                 "the kernel can neither report damage nor take a writable layer; use FUSE");
  }
  UniqueFd file;
  std::optional<store::MountLease> lease;
  if (hold == Hold::by_mount)
    lease.emplace(TRY(store::MountLease::take(*source.store, source.image->image_digest())));
  else
    file = TRY(source.store->open_image(source.image->image_digest()));
  auto mount = mount_image(source, spec.verity, lease ? lease->image() : file.get());
  if (mount) return std::optional(KernelRoot(std::move(*mount), std::move(lease)));
  if (leaves_to_fuse(methods, mount.error())) return std::optional<KernelRoot>();
  return std::move(mount).error();
}

Result<void> KernelRoot::attach(const std::string& directory) {
  TRY(mount_.attach(directory));
  if (lease_) lease_->leave_to_kernel();
  return {};
}

Result<bool> mount_by_kernel(const RootSource& source, const RootSpec& spec,
                             const std::string& directory) {
  auto root = TRY(KernelRoot::mount(source, spec, Hold::by_mount));
  if (!root) return false;
  auto attached = root->attach(directory);
  if (attached) return true;
  if (leaves_to_fuse(methods_for(spec), attached.error())) return false;
  return std::move(attached).error();
}

}  // namespace intact::rootfs
