#include "supervisor.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/run/bundle.h>

#include "embedded_init.h"
#include "root_process.h"
#include "runtime.h"
#include "runtime_process.h"
#include "sandbox.h"
#include "stage_mounts.h"
#include "streams.h"
#include "terminal.h"
#include "writable_root.h"

namespace intact::run {
namespace {

Outcome not_run(int status, std::string reason) {
  return Outcome{status, Error(status == kCommandNotFound ? ErrorKind::not_found : ErrorKind::io,
                               std::move(reason))};
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

Result<void> write_program(const std::string& path) {
  const UniqueFd file = TRY(open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0700));
  return write_all(file.get(), as_bytes(embedded_init()));
}

class Supervisor {
 public:
  explicit Supervisor(const SupervisorTask& task) : task_(task) {}

  Result<Outcome> run();

 private:
  Result<std::optional<CannotRun>> check_program() const;
  Result<void> make_root();
  /// Read-only, with or without a server.
  Result<void> mount_image(const std::string& mountpoint);
  Result<void> mount_without_server(const std::string& mountpoint);
  Result<Outcome> try_runtimes(const std::vector<Runtime>& runtimes);
  /// `running`: whether it returns while the container may still be running.
  Result<Outcome> try_each(const std::vector<Runtime>& runtimes, const ContainerStreams& streams,
                           bool& running);
  std::string room(std::string_view name) const { return room_ + "/" + std::string(name); }

  const SupervisorTask& task_;
  HostFacts host_;
  Bundle bundle_;
  std::string room_;
  std::unique_ptr<WritableRoot> writable_;
  RootProcess root_;  // none where nobody serves it
};

Result<Outcome> Supervisor::run() {
  const RunOptions& options = *task_.options;
  const ContainerParts& parts = *task_.parts;
  TRY(prepare_private_mounts(task_.user_namespace));
  const char* path = std::getenv("PATH");
  const auto runtimes = TRY(find_runtimes(options.runtime, path ? path : ""));
  host_ = TRY(collect_host_facts(task_.user_namespace));
  bundle_ = TRY(plan_bundle(*parts.tree, parts.image, options, host_, task_.id));
  if (bundle_.terminal) bundle_.terminal_size = caller_terminal_size();
  for (const auto& warning : bundle_.warnings)
    if (parts.warn) parts.warn(warning);
  if (const auto refused = TRY(check_program())) return not_run(refused->status, refused->reason);
  TRY(make_root());
  return try_runtimes(runtimes);
}

Result<std::optional<CannotRun>> Supervisor::check_program() const {
  return check_command(*task_.parts->tree, bundle_.arguments.front(), bundle_.environment,
                       bundle_.working_dir, bundle_.user, bundle_.hiding_mounts,
                       {.machine = host_.machine, .formats = task_.formats});
}

Result<void> Supervisor::make_root() {
  const RunOptions& options = *task_.options;
  room_ = TRY(make_room(task_.uid));
  for (const char* name : {"bundle", "bundle/rootfs", "image", "state"})
    if (::mkdir(room(name).c_str(), 0700) != 0) return Error::from_errno(room(name), errno);
  const std::string rootfs = room("bundle/rootfs");
  const std::string image = options.writable ? room("image") : rootfs;
  TRY(mount_image(image));
  if (options.writable)
    writable_ =
        TRY(WritableRoot::mount(room_, image, rootfs, task_.user_namespace, options.writable_size));
  const std::string guard = room("guard-root");
  TRY(write_program(guard));
  bundle_.root_guard = RootGuard{.program = guard, .root = rootfs};
  const auto tree = TRY(add_mount_points(task_.parts->tree, bundle_.mount_points));
  return stage_mounts(bundle_, *tree, room_);
}

Result<Outcome> Supervisor::try_runtimes(const std::vector<Runtime>& runtimes) {
  ContainerStreams streams;
  if (!bundle_.terminal) streams = TRY(ContainerStreams::open(task_.options->interactive, room_));
  bool running = false;
  auto outcome = try_each(runtimes, streams, running);
  // Otherwise the copiers end with the process namespace, as the container does.
  if (!running) streams.finish();
  return outcome;
}

Result<Outcome> Supervisor::try_each(const std::vector<Runtime>& runtimes,
                                     const ContainerStreams& streams, bool& running) {
  const ContainerParts& parts = *task_.parts;
  std::string failures;
  const auto note = [&](RuntimeKind kind, const std::string& why) {
    failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", to_string(kind), why);
  };
  const RuntimeTask task{.bundle = &bundle_,
                         .host = &host_,
                         .room = room_,
                         .streams = &streams,
                         .control_fd = task_.control_fd,
                         .kill_fd = parts.kill_fd,
                         .root_server = root_.pid};
  for (const auto& runtime : runtimes) {
    if (auto possible = check_runtime(bundle_, runtime.kind, host_); !possible) {
      note(runtime.kind, possible.error().message());
      continue;
    }
    running = true;
    const Attempt done = TRY(run_runtime(runtime, task));
    running = false;
    if (done.started) return Outcome{done.status, {}};
    if (done.signal != 0) return Outcome{128 + done.signal, {}};
    const std::string why = fmt::format("{}: {}", to_string(runtime.kind), done.error);
    if (parts.damaged && parts.damaged())
      return Error(ErrorKind::tampered,
                   "the container could not be started from damaged data: " + why);
    if (const int status = command_status(done.error); status != 0) return not_run(status, why);
    if (is_about_working_directory(done.error))
      return Error(ErrorKind::invalid_argument,
                   fmt::format("working directory {}: {}", bundle_.working_dir, why));
    note(runtime.kind, done.error);
  }
  return Error(ErrorKind::unsupported, "the container could not be started: " + failures);
}

Result<void> Supervisor::mount_without_server(const std::string& mountpoint) {
  const ContainerParts& parts = *task_.parts;
  const auto is_in_copy = [&](const std::string& path) {
    return std::any_of(bundle_.mounts.begin(), bundle_.mounts.end(), [&](const Mount& mount) {
      return mount.copy_up && mount.destination != path && is_at_or_below(path, mount.destination);
    });
  };
  std::string lacking;
  std::set<std::string> left_out;
  for (const MountPoint& point : bundle_.mount_points) {
    if (is_in_copy(point.path) || TRY(add_mount_points(parts.tree, {point})) == parts.tree)
      continue;
    if (point.optional && !parts.serve)
      left_out.insert(point.path);
    else
      lacking += " " + point.path;
  }
  if (!lacking.empty())
    return Error(ErrorKind::unsupported, "the image lacks places to mount on:" + lacking);
  for (const auto& path : left_out) {
    std::erase_if(bundle_.mount_points, [&](const auto& point) { return point.path == path; });
    for (Mount& mount : bundle_.mounts)
      if (mount.destination == path) mount.content.reset(), mount.type.clear();
    if (parts.warn)
      parts.warn(path + ": not provided, since the image has no such file to mount it on");
  }
  std::erase_if(bundle_.mounts, [](const Mount& mount) { return mount.type.empty(); });
  return task_.attach_root(mountpoint);
}

Result<void> Supervisor::mount_image(const std::string& mountpoint) {
  const ContainerParts& parts = *task_.parts;
  if (task_.attach_root) {
    auto mounted = mount_without_server(mountpoint);
    const bool left_over = !mounted && mounted.error().kind() == ErrorKind::unsupported;
    if (!left_over || !parts.serve) return mounted;
  }
  const auto tree = TRY(add_mount_points(parts.tree, bundle_.mount_points));
  // With one id there are no other users, and modes for ids that do not exist would only do harm.
  const bool others = host_.uids.size() > 1 || host_.uids.front().size > 1;
  root_ = TRY(start_root(parts.serve, tree, mountpoint, others));
  return {};
}

}  // namespace

Result<Outcome> supervise(const SupervisorTask& task) {
  return Supervisor(task).run();
}

}  // namespace intact::run
