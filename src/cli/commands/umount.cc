#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <intact/console/output.h>
#include <intact/json/json.h>
#include <intact/rootfs/mounts.h>
#include <intact/serve/mounts.h>
#include <intact/serve/nbd_server.h>

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

Error in_use(const std::string& directory) {
  return {ErrorKind::busy,
          fmt::format("{}: in use; stop what uses it (`fuser -vm {}` lists it), or pass --lazy",
                      directory, directory)};
}

Result<void> end_mount(const rootfs::Mount& mount, const std::string& directory, bool lazy) {
  const auto done = rootfs::unmount(mount, directory, lazy);
  if (!done)
    return done.error().kind() == ErrorKind::busy ? in_use(directory) : Error(done.error());
  if (*done == rootfs::Unmounted::server_still_runs)
    warn(directory + ": unmounted, but the server is still running");
  return {};
}

/// What was unmounted, and the first error.
struct Ended {
  std::vector<std::string> directories;
  std::optional<Error> error;
};

/// The mounts of all stores: which one an image is from is not in the mount table.
Result<Ended> unmount_all(bool lazy) {
  const auto mounts = TRY(rootfs::list_mounts());
  Ended ended;
  const auto note = [&ended](Error error) {
    if (ended.error) warn(ended.error->message());
    ended.error = std::move(error);
  };
  // The newest first: it may be on top of another.
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    auto done = end_mount(*mount, mount->directory(), lazy);
    if (done)
      ended.directories.push_back(mount->directory());
    else
      note(std::move(done).error());
  }
  if (ended.error) return ended;
  for (const rootfs::Mount& left : TRY(rootfs::list_mounts()))
    note(Error(ErrorKind::busy, left.directory() + ": an image is still mounted there"));
  return ended;
}

Result<std::vector<std::string>> unmount_one(const UmountOptions& options) {
  // First of all the table of mounts: the server of a mount may hang, and is not asked.
  const auto entry = serve::find_mount(options.target);
  if (entry && !*entry && serve::is_socket(options.target)) {
    TRY(serve::end_nbd_server(options.target));
    return std::vector{options.target};
  }
  if (entry && *entry) {
    if (const auto mount = rootfs::as_mount(**entry)) {
      TRY(end_mount(*mount, options.target, options.lazy));
      return std::vector{mount->directory()};
    }
  }
  if (!entry && entry.error().kind() != ErrorKind::not_found) return Error(entry.error());
  const auto mounts = TRY(rootfs::find_mounts_of(options.target));
  if (mounts.size() > 1) {
    std::string directories;
    for (const rootfs::Mount& mount : mounts)
      directories += (directories.empty() ? "" : ", ") + mount.directory();
    return Error(ErrorKind::invalid_argument,
                 fmt::format("'{}': mounted on {}; name one of the directories", options.target,
                             directories));
  }
  if (mounts.empty())
    return Error(
        ErrorKind::not_found,
        fmt::format("{}: not an Intact mount; run `intact mount` to list them", options.target));
  TRY(end_mount(mounts.front(), mounts.front().directory(), options.lazy));
  return std::vector{mounts.front().directory()};
}

Result<int> umount(const UmountOptions& options) {
  if (options.all != options.target.empty())
    return Error(ErrorKind::invalid_argument,
                 options.all
                     ? "--all: ends every Intact mount; leave out '" + options.target + "'"
                     : "DIR or NAME is required unless --all is given; see `intact umount --help`");
  Ended ended;
  if (options.all)
    ended = TRY(unmount_all(options.lazy));
  else
    ended.directories = TRY(unmount_one(options));
  if (ended.error) return std::move(*ended.error);
  if (options.json) print_json(Json{{"unmounted", ended.directories}});
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
