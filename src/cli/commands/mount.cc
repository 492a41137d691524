#include <chrono>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>

#include <unistd.h>

#include <intact/image/opened_image.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/kernel_mount.h>
#include <intact/serve/mounts.h>

#include "../anchor_options.h"
#include "../background.h"
#include "../command.h"
#include "../commands.h"
#include "../kernel_mount.h"
#include "../mount_log.h"
#include "../mount_record.h"
#include "../store_option.h"

namespace intact::cli {
namespace {

constexpr std::chrono::seconds kMostWaitForServer(10);
constexpr std::string_view kMountType = "fuse.intact";

struct MountOptions {
  std::string name;
  std::string directory;
  std::string verity = "require";
  std::string method = "auto";
  std::string log;
  std::vector<std::string> object_dirs;
  bool allow_other = false;
  bool foreground = false;
};

/// A mount over the store would hide it from its own server, which would wait for itself.
Result<void> check_store_is_elsewhere(const std::string& store, const std::string& directory) {
  char store_path[PATH_MAX];
  char directory_path[PATH_MAX];
  if (::realpath(store.c_str(), store_path) == nullptr ||
      ::realpath(directory.c_str(), directory_path) == nullptr)
    return {};  // opening them tells what is wrong
  const std::string below = std::string(store_path) + "/";
  if (below.starts_with(std::string(directory_path) + "/"))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{} holds the store {}: mount somewhere else", directory, store));
  return {};
}

/// The root directory of a process cannot be covered: nobody would see the mount or end it.
Result<void> check_is_not_root(const std::string& directory) {
  char path[PATH_MAX];
  if (::realpath(directory.c_str(), path) == nullptr || std::string_view(path) != "/") return {};
  return Error(ErrorKind::invalid_argument, "cannot mount on /: mount on a directory below it");
}

/// Makes room: a mount whose server was killed goes away, a living one is not covered.
Result<void> prepare_directory(const std::string& directory) {
  auto entry = TRY(serve::find_mount(directory));
  if (!entry) return {};
  if (!MountServer::find(*entry).is_running() && TRY(serve::clear_dead_mount(directory))) {
    warn(fmt::format("{} held a mount whose server was gone; it has been removed", directory));
    entry = TRY(serve::find_mount(directory));
  }
  if (entry && (entry->type == kMountType || is_kernel_mount(*entry)))
    return Error(ErrorKind::busy, fmt::format("'{}' is mounted on {} already: `intact umount` it",
                                              entry->source, directory));
  return {};
}

struct ImageInStore {
  std::shared_ptr<store::Store> store;
  std::unique_ptr<image::OpenedImage> image;
};

/// Checks that the directory can be mounted on, and the image down to its digest.
Result<ImageInStore> open_image(const MountOptions& options, const StoreOption& store_option,
                                const sign::Anchors& anchors, image::DamageSink damage) {
  TRY(check_is_not_root(options.directory));
  TRY(prepare_directory(options.directory));
  ImageInStore opened;
  opened.store = TRY(store_option.open());
  TRY(check_store_is_elsewhere(opened.store->path(), options.directory));
  for (const std::string& dir : options.object_dirs)
    TRY(opened.store->add_object_dir(dir, store::DirectoryOrigin::user));
  image::OpenOptions open_options;
  open_options.anchors = anchors;
  open_options.verity = TRY(image::parse_verity_mode(options.verity));
  open_options.damage = std::move(damage);
  opened.image = TRY(image::OpenedImage::open(opened.store, options.name, open_options));
  return opened;
}

/// Checks and mounts the image and serves it until it is unmounted. `process` is null in the
/// foreground.
Result<void> serve_image(const MountOptions& options, const StoreOption& store_option,
                         const sign::Anchors& anchors, const LogFile* log_file,
                         BackgroundProcess* process) {
  std::optional<MountRecord> record;  // the last to go: who waits for it finds all given back
  MountLog log(log_file ? log_file->fd() : STDERR_FILENO);
  const ImageInStore opened = TRY(open_image(
      options, store_option, anchors, [&log](const image::Damage& damage) { log.add(damage); }));

  serve::FuseOptions fuse;
  fuse.mountpoint = options.directory;
  fuse.allow_other = options.allow_other;
  fuse.fsname = options.name;
  fuse.log = [&log](std::string_view line) { log.add(line); };
  fuse.handle_signals = true;
  if (process) fuse.ready_fd = process->take_ready_fd();
  const auto server = TRY(serve::FuseServer::mount(opened.image->tree(), fuse));
  record.emplace(TRY(MountRecord::create(server->device())));
  if (process) {
    process->leave_terminal(log_file->fd());
  } else {
    print("Mounted '{}' on {}; Ctrl-C or `intact umount` ends it\n", options.name,
          server->mountpoint());
    std::fflush(stdout);
  }
  Result<void> served = server->serve();
  if (!served && log_file) log.add(served.error().message());
  if (log_file) log_file->tidy_up();
  return served;
}

Result<void> mount_in_kernel(const MountOptions& options, const StoreOption& store_option,
                             const sign::Anchors& anchors) {
  const ImageInStore opened = TRY(open_image(options, store_option, anchors, {}));
  TRY(mount_by_kernel(*opened.store, *opened.image, options.name, options.directory,
                      TRY(image::parse_verity_mode(options.verity))));
  print("Mounted '{}' on {} by the kernel\n", options.name, options.directory);
  return {};
}

/// Whether a kernel mount, where there can be one, would be all that was asked for. Every user gets
/// into it; it warns of nothing, and what it refuses stands in the kernel's log only.
bool kernel_keeps_all_promises(const MountOptions& options) {
  return options.allow_other && options.verity == "require" && !options.foreground &&
         options.log.empty();
}

Result<int> mount(const MountOptions& options, const StoreOption& store,
                  const AnchorOptions& anchor_options) {
  TRY(fill_standard_descriptors());
  const sign::Anchors anchors = anchor_options.anchors();
  if (options.verity == "off") warn("--verity off: file contents are not checked");
  if (options.method == "kernel") {
    if (options.foreground || !options.log.empty())
      return Error(ErrorKind::invalid_argument,
                   "--method kernel has no server of its own, so neither --foreground nor --log");
    TRY(mount_in_kernel(options, store, anchors).context("--method kernel"));
    return 0;
  }
  if (options.method == "auto" && kernel_keeps_all_promises(options)) {
    const auto mounted = mount_in_kernel(options, store, anchors);
    if (mounted) return 0;
    if (mounted.error().kind() != ErrorKind::unsupported) return Error(mounted.error());
  }
  if (options.foreground) {
    std::optional<LogFile> log;
    if (!options.log.empty()) log.emplace(TRY(LogFile::open(options.log, options.name)));
    TRY(serve_image(options, store, anchors, log ? &*log : nullptr, nullptr));
    return 0;
  }
  // Opened here, so that its name can be told.
  const LogFile log = TRY(LogFile::open(options.log, options.name));
  const auto mounted = run_in_background([&](BackgroundProcess& process) {
    return serve_image(options, store, anchors, &log, &process);
  });
  if (!mounted) {
    log.tidy_up();
    return Error(mounted.error());
  }
  print("Mounted '{}' on {}; log: {}\n", options.name, options.directory, log.path());
  return 0;
}

struct UmountOptions {
  std::string directory;
  bool lazy = false;
};

Error in_use(const std::string& directory) {
  return {ErrorKind::busy,
          fmt::format("{} is in use: end what uses it (`fuser -vm {}` lists it), or give --lazy",
                      directory, directory)};
}

Result<void> unmount_served(const serve::MountEntry& entry, const UmountOptions& options) {
  const MountServer server = MountServer::find(entry);
  auto result = serve::unmount(options.directory, options.lazy);
  if (!result) {
    // In use, but by whom, if there is nobody to serve it?
    if (result.error().kind() == ErrorKind::busy && serve::is_dead_mount(options.directory)) {
      TRY(serve::clear_dead_mount(options.directory));
      return {};
    }
    return result;
  }
  // A lazily unmounted one serves on for those who still have files open.
  if (!options.lazy && !server.wait_for_end(kMostWaitForServer))
    warn("unmounted, but the server is still running");
  return {};
}

Result<int> umount(const UmountOptions& options) {
  const auto entry = TRY(serve::find_mount(options.directory));
  if (!entry || (entry->type != kMountType && !is_kernel_mount(*entry)))
    return Error(ErrorKind::not_found, fmt::format("{} is not a mount of ours", options.directory));
  const auto done = is_kernel_mount(*entry)
                        ? serve::detach_kernel_mount(entry->mountpoint, options.lazy)
                        : unmount_served(*entry, options);
  if (done) return 0;
  if (done.error().kind() == ErrorKind::busy) return in_use(options.directory);
  return Error(done.error());
}

}  // namespace

void add_mount_commands(Program& program) {
  auto options = std::make_shared<MountOptions>();
  CLI::App* command = program.add(program.app(), "mount",
                                  "Show an image as a directory in which every read is checked");
  command->add_option("NAME", options->name, "Image in the store")->required();
  command->add_option("DIR", options->directory, "Existing directory to mount on")->required();
  command
      ->add_option("--verity", options->verity,
                   "Contents without a digest: refuse (require) or allow (on, validate) them; off "
                   "checks no contents at all")
      ->check(CLI::IsMember({"require", "on", "validate", "off"}));
  command
      ->add_option(
          "--method", options->method,
          "kernel: EROFS and overlayfs check by fs-verity, no process serves; auto: kernel where "
          "that keeps every promise (with --allow-other, --verity require), else fuse")
      ->check(CLI::IsMember({"auto", "fuse", "kernel"}));
  command->add_flag("--allow-other", options->allow_other,
                    "Let other users in, as far as file modes and ACLs allow");
  command
      ->add_option("--objects-from", options->object_dirs,
                   "Look for objects in this directory, too (of podman or mkcomposefs); only read; "
                   "may be repeated")
      ->type_name("DIR")
      ->take_all()
      ->expected(1)
      ->default_str("");
  command
      ->add_option("--log", options->log,
                   "Append to this file (default: one in /run/intact or $XDG_RUNTIME_DIR/intact)")
      ->type_name("FILE");
  command->add_flag("--foreground", options->foreground, "Serve here, until unmounted or Ctrl-C");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  program.on_chosen(command, [options, store, anchors] { return mount(*options, store, anchors); });

  auto umount_options = std::make_shared<UmountOptions>();
  CLI::App* umount_command =
      program.add(program.app(), "umount", "End a mount and wait until its server is gone");
  umount_command->add_option("DIR", umount_options->directory, "What was mounted on")
      ->type_name("MOUNT|DIR")
      ->required();
  umount_command->add_flag("--lazy", umount_options->lazy,
                           "Take it away although it is in use; the server ends with its last "
                           "user");
  program.on_chosen(umount_command, [umount_options] { return umount(*umount_options); });
}

}  // namespace intact::cli
