#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>

#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/console/format_template.h>
#include <intact/console/output.h>
#include <intact/image/opened_image.h>
#include <intact/json/json.h>
#include <intact/kernel/image_mount.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>
#include <intact/service/background.h>
#include <intact/service/log_file.h>
#include <intact/service/mount_record.h>
#include <intact/service/server.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "kernel_mount.h"
#include "mount_table.h"
#include "store_option.h"
#include "umount.h"

namespace intact::cli {
namespace {

struct MountOptions {
  std::string name;
  std::string directory;
  std::string verity = "require";
  std::string method = "auto";
  std::string log;
  std::vector<std::string> object_dirs;
  bool allow_other = false;
  bool foreground = false;
  bool json = false;
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
                 fmt::format("{}: contains the store {}; mount somewhere else", directory, store));
  return {};
}

/// The root directory of a process cannot be covered: nobody would see the mount or end it.
Result<void> check_is_not_root(const std::string& directory) {
  char path[PATH_MAX];
  if (::realpath(directory.c_str(), path) == nullptr || std::string_view(path) != "/") return {};
  return Error(ErrorKind::invalid_argument, "/: cannot mount there; choose a directory below it");
}

/// Makes room: a mount whose server was killed goes away, a living one is not covered.
Result<void> prepare_directory(const std::string& directory) {
  auto entry = TRY(serve::find_mount(directory));
  if (!entry) return {};
  if (!service::MountServer::find(entry->device, entry->user()).is_running() &&
      TRY(serve::clear_dead_mount(directory))) {
    warn(fmt::format("{}: unmounted the image whose server was killed", directory));
    entry = TRY(serve::find_mount(directory));
  }
  if (entry && is_intact_mount(*entry))
    return Error(ErrorKind::busy, fmt::format("{}: '{}' is mounted there; run `intact umount {}`",
                                              directory, entry->source, directory));
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

std::string log_line(const image::Damage& damage) {
  return fmt::format("DAMAGED {}: block {} (byte {}) of {}: {}",
                     damage.path.empty() ? "(image metadata)" : damage.path, damage.block,
                     damage.offset, damage.object, damage.reason);
}

/// Checks and mounts the image and serves it until it is unmounted. `process` is null in the
/// foreground.
Result<void> serve_image(const MountOptions& options, const StoreOption& store_option,
                         const sign::Anchors& anchors, const service::LogFile* log_file,
                         service::BackgroundProcess* process) {
  service::Server life(
      {.log_fd = log_file ? log_file->fd() : STDERR_FILENO, .logs_errors = log_file != nullptr});
  const ImageInStore opened =
      TRY(open_image(options, store_option, anchors,
                     [&life](const image::Damage& damage) { life.log().add(log_line(damage)); }));

  serve::FuseOptions fuse;
  fuse.mountpoint = options.directory;
  fuse.allow_other = options.allow_other;
  fuse.fsname = opened.image->record().name;
  fuse.log = life.log_sink();
  if (process) fuse.ready_fd = process->take_ready().release();
  const auto server = TRY(serve::FuseServer::mount(opened.image->tree(), fuse));
  const auto end = TRY(life.end_on_request([&server] { server->stop(); }));
  TRY(life.record_mount(server->device()));
  if (process) {
    process->leave_terminal(log_file->fd());
  } else {
    print("Mounted '{}' on {}; stop with Ctrl-C or `intact umount`\n", visible(options.name),
          visible(server->mountpoint()));
    std::fflush(stdout);
  }
  Result<void> served = life.close(server->serve(), {});
  if (log_file) log_file->tidy_up();
  return served;
}

/// `log` is empty for a mount by the kernel.
void print_mounted(const MountOptions& options, const std::string& log) {
  if (options.json)
    print_json(Json{{"name", options.name},
                    {"directory", options.directory},
                    {"method", log.empty() ? "kernel" : "fuse"},
                    {"log", log.empty() ? Json() : Json(log)}});
  else if (log.empty())
    print("Mounted '{}' on {} by the kernel\n", visible(options.name), visible(options.directory));
  else
    print("Mounted '{}' on {}; log: {}\n", visible(options.name), visible(options.directory),
          visible(log));
}

Result<void> mount_in_kernel(const MountOptions& options, const StoreOption& store_option,
                             const sign::Anchors& anchors) {
  const ImageInStore opened = TRY(open_image(options, store_option, anchors, {}));
  TRY(mount_by_kernel(*opened.store, *opened.image, opened.image->record().name, options.directory,
                      TRY(image::parse_verity_mode(options.verity))));
  print_mounted(options, "");
  return {};
}

/// Whether a kernel mount, where there can be one, would do all that was asked for. Every user can
/// enter it, it gives no warnings, and what it refuses is only in the kernel's log.
bool kernel_keeps_all_promises(const MountOptions& options) {
  return options.allow_other && options.verity == "require" && !options.foreground &&
         options.log.empty();
}

/// What is mounted, where, and how.
Result<int> list_mounts(bool as_json) {
  const auto mounts = TRY(list_intact_mounts());
  if (as_json) {
    Json json = Json::array();
    for (const IntactMount& mount : mounts)
      json.push_back({{"name", mount.image},
                      {"directory", mount.directory()},
                      {"method", mount.by_kernel ? "kernel" : "fuse"},
                      {"status", mount.status()}});
    print_json(json);
    return 0;
  }
  std::string text = "NAME\tDIRECTORY\tSTATUS\n";
  for (const IntactMount& mount : mounts)
    text += fmt::format("{}\t{}\t{}\n", visible(mount.image), visible(mount.directory()),
                        mount.status());
  print_text(aligned_columns(text));
  return 0;
}

Result<int> mount(const MountOptions& options, const StoreOption& store,
                  const AnchorOptions& anchor_options) {
  if (options.name.empty()) return list_mounts(options.json);
  if (options.directory.empty())
    return Error(ErrorKind::invalid_argument, "DIR is required; see `intact mount --help`");
  if (options.json && options.foreground)
    return Error(ErrorKind::invalid_argument, "--json: has no result with --foreground");
  TRY(service::fill_standard_descriptors());
  const sign::Anchors anchors = anchor_options.anchors();
  if (options.verity == "off") warn("--verity off: file contents are not checked");
  if (options.method == "kernel") {
    if (options.foreground || !options.log.empty())
      return Error(ErrorKind::invalid_argument,
                   "--method kernel: has no server; leave out --foreground and --log");
    TRY(mount_in_kernel(options, store, anchors).context("--method kernel"));
    return 0;
  }
  if (options.method == "auto" && kernel_keeps_all_promises(options)) {
    const auto mounted = mount_in_kernel(options, store, anchors);
    if (mounted) return 0;
    if (mounted.error().kind() != ErrorKind::unsupported) return Error(mounted.error());
  }
  if (options.foreground) {
    std::optional<service::LogFile> log;
    if (!options.log.empty()) log.emplace(TRY(service::LogFile::open(options.log, options.name)));
    TRY(serve_image(options, store, anchors, log ? &*log : nullptr, nullptr));
    return 0;
  }
  // Opened here, so that its name can be printed.
  const service::LogFile log = TRY(service::LogFile::open(options.log, options.name));
  const auto mounted = service::run_in_background([&](service::BackgroundProcess& process) {
    return serve_image(options, store, anchors, &log, &process);
  });
  if (!mounted) {
    log.tidy_up();
    return Error(mounted.error());
  }
  print_mounted(options, log.path());
  return 0;
}

}  // namespace

void add_mount_commands(Program& program) {
  auto options = std::make_shared<MountOptions>();
  CLI::App* command = program.add(
      program.app(), "mount",
      "Mount an image on a directory, with every read verified; without NAME, list mounts");
  command->add_option("NAME", options->name, "Image in the store");
  command->add_option("DIR", options->directory, "Existing directory to mount on");
  command
      ->add_option(
          "--verity", options->verity,
          "Files without a digest: refuse them (require) or serve them (on, validate); off "
          "verifies no contents at all")
      ->check(CLI::IsMember({"require", "on", "validate", "off"}));
  command
      ->add_option(
          "--method", options->method,
          "Serve by FUSE (fuse) or let EROFS, overlayfs and fs-verity do it (kernel); auto "
          "takes the kernel where it gives the same guarantees")
      ->check(CLI::IsMember({"auto", "fuse", "kernel"}));
  command->add_flag("--allow-other", options->allow_other,
                    "Let other users in, subject to file modes and ACLs");
  command
      ->add_option("--objects-from", options->object_dirs,
                   "Also use the objects in this directory (of podman or mkcomposefs), read-only; "
                   "may be repeated")
      ->type_name("DIR")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false)
      ->default_str("");
  command
      ->add_option("--log", options->log,
                   "Append to this file (default: one in /run/intact or $XDG_RUNTIME_DIR/intact)")
      ->type_name("FILE");
  command->add_flag("--foreground", options->foreground, "Serve until unmounted or Ctrl-C");
  command->add_flag("--json", options->json, "Print the result, or the list of mounts, as JSON");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  program.on_chosen(command, [options, store, anchors] { return mount(*options, store, anchors); });
  add_umount_command(program);
}

}  // namespace intact::cli
