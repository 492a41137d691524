#include <memory>
#include <optional>

#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/console/format_template.h>
#include <intact/console/output.h>
#include <intact/report/results.h>
#include <intact/rootfs/mounts.h>
#include <intact/rootfs/root.h>
#include <intact/service/background.h>
#include <intact/service/log_file.h>
#include <intact/service/server.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "store_option.h"

namespace intact::cli {
namespace {

struct MountOptions {
  std::string name;
  std::string directory;
  std::string verity = "require";
  std::string method = "auto";
  std::string log;
  std::vector<std::string> object_dirs;
  rootfs::RootSpec spec;  // what the words above and below mean
  bool allow_other = false;
  bool foreground = false;
  bool json = false;
};

/// Checks that the directory can be mounted on, and the image down to its digest.
Result<rootfs::RootSource> open_image(const MountOptions& options, const StoreOption& store_option,
                                      const sign::Anchors& anchors, DamageSink damage) {
  if (TRY(rootfs::prepare_directory(options.directory)))
    warn(fmt::format("{}: unmounted the image whose server was killed", options.directory));
  auto store = TRY(store_option.open());
  TRY(rootfs::check_store_is_elsewhere(store->path(), options.directory));
  for (const std::string& dir : options.object_dirs)
    TRY(store->add_object_dir(dir, store::DirectoryOrigin::user));
  image::OpenOptions open_options;
  open_options.anchors = anchors;
  open_options.verity = options.spec.verity;
  open_options.damage = std::move(damage);
  auto image = TRY(image::OpenedImage::open(store, options.name, open_options));
  return rootfs::RootSource{.store = std::move(store), .image = std::move(image)};
}

/// Mounts the image and serves it until it is unmounted. `process` is null in the foreground.
Result<void> serve_image(const MountOptions& options, const StoreOption& store_option,
                         const sign::Anchors& anchors, const service::LogFile* log_file,
                         service::BackgroundProcess* process) {
  service::Server life(
      {.log_fd = log_file ? log_file->fd() : STDERR_FILENO, .logs_errors = log_file != nullptr});
  auto source = TRY(open_image(options, store_option, anchors, [&life](const Damage& damage) {
    life.log().add("DAMAGED " + damage_line(damage, "(image metadata)"));
  }));
  const rootfs::ServeOptions serve{.directory = options.directory,
                                   .name = source.image->record().name,
                                   .others = options.spec.others,
                                   .ready_fd = process ? process->take_ready().release() : -1,
                                   .log = life.log_sink()};
  const auto tree = source.image->tree();
  auto root = TRY(rootfs::ServedRoot::mount(std::move(source), tree, serve));
  const auto end = TRY(life.end_on_request([&root] { root.stop(); }));
  TRY(life.record_mount(root.device()));
  if (process) {
    process->leave_terminal(log_file->fd());
  } else {
    print("Mounted '{}' on {}; stop with Ctrl-C or `intact umount`\n", visible(options.name),
          visible(root.directory()));
    std::fflush(stdout);
  }
  Result<void> served = life.close(root.serve(), {});
  if (log_file) log_file->tidy_up();
  return served;
}

/// `log` is empty for a mount by the kernel.
void print_mounted(const MountOptions& options, const std::string& log) {
  const report::NewMount mount{options.name, options.directory, log};
  print_result(options.json, report::to_json(mount), report::to_text(mount));
}

Result<int> list_mounts(bool as_json) {
  const auto mounts = TRY(rootfs::list_mounts());
  print_result(as_json, report::to_json(mounts), aligned_columns(report::to_table(mounts)));
  return 0;
}

/// What the options ask for.
Result<rootfs::RootSpec> root_spec(const MountOptions& options) {
  rootfs::RootSpec spec{.method = TRY(rootfs::parse_method(options.method)),
                        .verity = TRY(image::parse_verity_mode(options.verity)),
                        .others = options.allow_other,
                        .reports = options.foreground || !options.log.empty()};
  if (spec.method == rootfs::Method::kernel && rootfs::kernel_limit(spec))
    return Error(ErrorKind::invalid_argument,
                 "--method kernel: has no server; leave out --foreground and --log");
  return spec;
}

/// False where FUSE has to do it.
Result<bool> mount_in_kernel(const MountOptions& options, const StoreOption& store,
                             const sign::Anchors& anchors) {
  if (!rootfs::methods_for(options.spec).kernel) return false;
  const auto source = TRY(open_image(options, store, anchors, {}));
  return rootfs::mount_by_kernel(source, options.spec, options.directory);
}

Result<int> mount(MountOptions& options, const StoreOption& store,
                  const AnchorOptions& anchor_options) {
  if (options.name.empty()) return list_mounts(options.json);
  if (options.directory.empty())
    return Error(ErrorKind::invalid_argument, "DIR is required; see `intact mount --help`");
  if (options.json && options.foreground)
    return Error(ErrorKind::invalid_argument, "--json: has no result with --foreground");
  TRY(service::fill_standard_descriptors());
  const sign::Anchors anchors = anchor_options.anchors();
  if (options.verity == "off") warn("--verity off: file contents are not checked");
  options.spec = TRY(root_spec(options));
  auto by_kernel = mount_in_kernel(options, store, anchors);
  if (!by_kernel && options.spec.method == rootfs::Method::kernel)
    return std::move(by_kernel).error().with_context("--method kernel");
  if (TRY(std::move(by_kernel))) {
    print_mounted(options, "");
    return 0;
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

void add_mount_command(Program& program) {
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
  repeatable(
      command
          ->add_option(
              "--objects-from", options->object_dirs,
              "Also use the objects in this directory (of podman or mkcomposefs), read-only; "
              "may be repeated")
          ->type_name("DIR"))
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
}

}  // namespace intact::cli
