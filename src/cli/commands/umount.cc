#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/console/output.h>
#include <intact/json/json.h>
#include <intact/rootfs/mounts.h>
#include <intact/serve/mounts.h>
#include <intact/serve/nbdkit.h>

#include "command.h"
#include "commands.h"

namespace intact::cli {
namespace {

struct UmountOptions {
  std::string target;
  bool all = false;
  bool lazy = false;
  bool json = false;
};

void warn_of_server(const std::string& directory) {
  warn(directory + ": unmounted, but the server is still running");
}

struct Target {
  rootfs::Mount mount;
  std::string directory;  ///< as messages name it
};

/// What is mounted at `given`, or the image with this name. Nothing: it is the socket of an NBD
/// server.
Result<std::optional<Target>> find_target(const std::string& given) {
  // First of all the table of mounts: the server of a mount may hang, and is not asked.
  const auto entry = serve::find_mount(given);
  if (entry && !*entry && serve::is_socket(given)) return std::optional<Target>();
  if (entry && *entry)
    if (auto mount = rootfs::as_mount(**entry)) return Target{std::move(*mount), given};
  if (!entry && entry.error().kind() != ErrorKind::not_found) return Error(entry.error());
  rootfs::Mount mount = TRY(rootfs::find_mount_of(given));
  std::string directory = mount.directory();
  return Target{std::move(mount), std::move(directory)};
}

Result<std::vector<std::string>> unmount_one(const std::string& given, bool lazy) {
  const auto target = TRY(find_target(given));
  if (!target) {
    TRY(serve::end_nbd_server(given));
    return std::vector{given};
  }
  if (TRY(rootfs::unmount(target->mount, target->directory, lazy)) ==
      rootfs::Unmounted::server_still_runs)
    warn_of_server(target->directory);
  return std::vector{target->mount.directory()};
}

/// What was unmounted; the last error counts, the others are warnings.
Result<std::vector<std::string>> unmount_all(bool lazy) {
  rootfs::UnmountedAll all = TRY(rootfs::unmount_all(lazy));
  for (const std::string& directory : all.unended) warn_of_server(directory);
  if (all.errors.empty()) return std::move(all.directories);
  for (std::size_t i = 0; i + 1 < all.errors.size(); ++i) warn(all.errors[i].message());
  return std::move(all.errors.back());
}

Result<int> umount(const UmountOptions& options) {
  if (options.all != options.target.empty())
    return Error(ErrorKind::invalid_argument,
                 options.all
                     ? "--all: ends every Intact mount; leave out '" + options.target + "'"
                     : "DIR or NAME is required unless --all is given; see `intact umount --help`");
  const auto directories =
      TRY(options.all ? unmount_all(options.lazy) : unmount_one(options.target, options.lazy));
  if (options.json) print_json(Json{{"unmounted", directories}});
  return 0;
}

}  // namespace

void add_umount_command(Program& program) {
  auto options = std::make_shared<UmountOptions>();
  CLI::App* command =
      program.add(program.app(), "umount", "Unmount an image and wait for its server to exit");
  command
      ->add_option(
          "DIR", options->target,
          "Directory that an image is mounted on, the name of the image, or the socket of an "
          "NBD server")
      ->type_name("MOUNT|DIR");
  command->add_flag("-a,--all", options->all, "End every Intact mount, of whatever store");
  command->add_flag("--lazy", options->lazy, "Detach now; the server exits once nothing uses it");
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options] { return umount(*options); });
}

}  // namespace intact::cli
