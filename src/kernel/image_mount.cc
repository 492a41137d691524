#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <intact/base/mount.h>
#include <intact/base/thread.h>
#include <intact/fsverity/measure.h>
#include <intact/kernel/image_mount.h>
#include <intact/kernel/overlay.h>

#include "erofs_mount.h"
#include "file_system.h"

namespace intact::kernel {
namespace {

constexpr unsigned kAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr int kAttempts = 5;
constexpr std::chrono::milliseconds kPause(40);

Result<void> check_image(const ImageLayers& layers) {
  const auto measured = TRY(fsverity::measure_file(layers.image));
  if (!measured)
    return Error(
        ErrorKind::unsupported,
        "the file of the image has no fs-verity: pull it into a store on a file system that "
        "has it, such as btrfs, f2fs, or ext4 made with -O verity");
  if (*measured != layers.digest)
    return Error(ErrorKind::tampered,
                 fmt::format("the kernel measures {} for the image, not {}", measured->to_string(),
                             layers.digest.to_string()));
  return {};
}

/// A copy of the mount that the directory is in, showing only that directory, attached nowhere.
Result<UniqueFd> clone_directory(int dir) {
  UniqueFd clone(::open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!clone) return mount_error("open_tree", errno);
  return clone;
}

/// Attaches a layer at `name` in the directory `room`.
Result<void> attach_layer(const UniqueFd& layer, const UniqueFd& room, const std::string& name) {
  if (::mkdirat(room.get(), name.c_str(), 0700) != 0) return mount_error("mkdir " + name, errno);
  if (::move_mount(layer.get(), "", room.get(), name.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return mount_error("move_mount " + name, errno);
  return {};
}

/// Puts the layers together. overlayfs takes only layers that are attached in the mount namespace
/// of its caller, so this gives the calling thread one of its own, which goes with the thread.
Result<UniqueFd> mount_layers(const UniqueFd& metadata, const std::vector<UniqueFd>& objects,
                              const ImageMountOptions& options) {
  if (::unshare(CLONE_NEWNS) != 0) return mount_error("unshare", errno);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return mount_error("make the mounts private", errno);
  // Attached over "/", which there always is and which nobody else sees.
  auto tmpfs = TRY(FileSystem::open("tmpfs"));
  TRY(tmpfs.set("mode", "0700"));
  const UniqueFd room = TRY(tmpfs.mount(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (::move_mount(room.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return mount_error("move_mount", errno);
  Overlay overlay{.source = std::string(kImageMountSource) + options.source,
                  .lower = {"image"},
                  .follow = true,
                  .verity = options.verity};
  TRY(attach_layer(metadata, room, overlay.lower.front()));
  for (std::size_t i = 0; i < objects.size(); ++i) {
    overlay.data.push_back(i == 0 ? "objects" : fmt::format("objects-{}", i));
    TRY(attach_layer(objects[i], room, overlay.data.back()));
  }
  // The mount table will show the layers by these names.
  if (::fchdir(room.get()) != 0) return mount_error("chdir", errno);
  return mount_overlay(overlay, kAttributes,
                       options.use_layer_options ? LayerOptions::one_by_one : LayerOptions::joined);
}

/// The mountpoint is looked at first because move_mount(2) does not say what is wrong with it.
Result<void> check_mountpoint(const std::string& mountpoint) {
  struct stat status;
  if (::stat(mountpoint.c_str(), &status) != 0)
    return Error::from_errno(fmt::format("cannot mount on {}", mountpoint), errno);
  if (!S_ISDIR(status.st_mode))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("cannot mount on {}: not a directory", mountpoint));
  return {};
}

}  // namespace

bool is_image_mount(std::string_view type, std::string_view source) {
  return type == "overlay" && source.starts_with(kImageMountSource);
}

Result<void> check_can_mount_images() {
  for (const char* const type : {"erofs", "overlay"}) {
    const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
    if (context) continue;
    if (errno == EPERM)
      return Error(ErrorKind::unsupported,
                   "only root (CAP_SYS_ADMIN) can mount; use --method fuse");
    if (errno == ENODEV)
      return Error(ErrorKind::unsupported,
                   fmt::format("this kernel has no {}; use --method fuse", type));
    if (errno == ENOSYS)
      return Error(ErrorKind::unsupported,
                   "this kernel is older than Linux 5.2; use --method fuse");
  }
  return {};
}

Result<ImageMount> ImageMount::create(const ImageLayers& layers, const ImageMountOptions& options) {
  TRY(check_image(layers));
  const UniqueFd metadata =
      TRY(mount_erofs(layers.image, kAttributes, options.use_file_backed_erofs));
  std::vector<UniqueFd> objects;
  objects.reserve(layers.objects.size());
  for (const int dir : layers.objects) objects.push_back(TRY(clone_directory(dir)));
  // A thread, since its mount namespace must not become ours. It shares our descriptors.
  Result<UniqueFd> mount = Error(ErrorKind::io, "not run");
  TRY(start_thread([&] { mount = mount_layers(metadata, objects, options); })).join();
  return ImageMount(TRY(std::move(mount)));
}

Result<void> ImageMount::attach(const std::string& mountpoint) {
  TRY(check_mountpoint(mountpoint));
  if (::move_mount(mount_.get(), "", AT_FDCWD, mountpoint.c_str(),
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) != 0)
    return mount_error(fmt::format("cannot mount on {}", mountpoint), errno);
  mount_.reset();
  return {};
}

Result<void> detach_image_mount(const std::string& mountpoint, int number, bool lazy) {
  // A process that has just ended may still hold it for a moment.
  for (int attempt = 1;; ++attempt) {
    const int error = unmount_number(mountpoint, number, lazy);
    if (error == 0) return {};
    if (error != EBUSY)
      return Error::from_errno(fmt::format("cannot unmount {}", mountpoint), error);
    if (attempt == kAttempts)
      return Error(ErrorKind::busy, fmt::format("{} is in use", mountpoint), EBUSY);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace intact::kernel
