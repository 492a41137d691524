#include "umount.h"

#include <chrono>
#include <memory>

#include <intact/kernel/image_mount.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>
#include <intact/service/mount_record.h>

#include "kernel_mount.h"
#include "mount_table.h"

namespace intact::cli {
namespace {

constexpr std::chrono::seconds kMaxWaitForServer(10);

struct UmountOptions {
  std::string target;
  bool all = false;
  bool lazy = false;
};

Error in_use(const std::string& directory) {
  return {ErrorKind::busy,
          fmt::format("{}: in use; stop what uses it (`fuser -vm {}` lists it), or pass --lazy",
                      directory, directory)};
}

Result<void> unmount_served(const serve::MountEntry& entry, const std::string& directory,
                            bool lazy) {
  const auto server = service::MountServer::find(entry.device, entry.user());
  auto result = serve::unmount(directory, lazy);
  if (!result) {
    // Busy without a server: only the dead mount itself is in the way.
    if (result.error().kind() == ErrorKind::busy && serve::is_dead_mount(directory)) {
      TRY(serve::clear_dead_mount(directory));
      return {};
    }
    return result;
  }
  // After a lazy unmount it serves those who still have files open.
  if (!lazy && !server.wait_for_end(kMaxWaitForServer))
    warn(directory + ": unmounted, but the server is still running");
  return {};
}

Result<void> unmount(const serve::MountEntry& entry, const std::string& directory, bool lazy) {
  auto done = is_kernel_mount(entry) ? kernel::detach_image_mount(entry.mountpoint, lazy)
                                     : unmount_served(entry, directory, lazy);
  if (!done && done.error().kind() == ErrorKind::busy) return in_use(directory);
  return done;
}

Result<int> unmount_all(bool lazy) {
  const auto mounts = TRY(list_intact_mounts());
  Result<int> result = 0;
  // The newest first: it may be on top of another.
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    auto done = unmount(mount->entry, mount->directory(), lazy);
    if (done) continue;
    if (!result) warn(result.error().message());
    result = std::move(done).error();
  }
  return result;
}

Result<int> umount(const UmountOptions& options) {
  if (options.all != options.target.empty())
    return Error(ErrorKind::invalid_argument,
                 options.all
                     ? "--all: ends every Intact mount; leave out '" + options.target + "'"
                     : "DIR or NAME is required unless --all is given; see `intact umount --help`");
  if (options.all) return unmount_all(options.lazy);
  const auto entry = serve::find_mount(options.target);
  if (entry && *entry && is_intact_mount(**entry)) {
    TRY(unmount(**entry, options.target, options.lazy));
    return 0;
  }
  if (!entry && entry.error().kind() != ErrorKind::not_found) return Error(entry.error());
  const auto mounts = TRY(find_mounts_of(options.target));
  if (mounts.size() > 1) {
    std::string directories;
    for (const IntactMount& mount : mounts)
      directories += (directories.empty() ? "" : ", ") + mount.directory();
    return Error(ErrorKind::invalid_argument,
                 fmt::format("'{}': mounted on {}; name one of the directories", options.target,
                             directories));
  }
  if (mounts.empty())
    return Error(
        ErrorKind::not_found,
        fmt::format("{}: not an Intact mount; run `intact mount` to list them", options.target));
  TRY(unmount(mounts.front().entry, mounts.front().directory(), options.lazy));
  return 0;
}

}  // namespace

void add_umount_command(Program& program) {
  auto options = std::make_shared<UmountOptions>();
  CLI::App* command =
      program.add(program.app(), "umount", "Unmount an image and wait for its server to exit");
  command
      ->add_option("DIR", options->target,
                   "Directory that an image is mounted on, or the name of the image")
      ->type_name("MOUNT|DIR");
  command->add_flag("-a,--all", options->all, "End every Intact mount");
  command->add_flag("--lazy", options->lazy, "Detach now; the server exits once nothing uses it");
  program.on_chosen(command, [options] { return umount(*options); });
}

}  // namespace intact::cli
