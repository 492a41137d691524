#include <algorithm>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/error_codes.h>
#include <intact/base/file.h>
#include <intact/base/visible.h>
#include <intact/console/error_report.h>
#include <intact/console/output.h>
#include <intact/image/opened_image.h>
#include <intact/run/container.h>
#include <intact/serve/fuse_server.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "container_command.h"
#include "damage_watch.h"
#include "kernel_mount.h"
#include "process_image.h"
#include "store_option.h"

namespace intact::cli {
namespace {

// As container engines do: a status that containers seldom have marks a failure of the engine
// itself.
constexpr int kOwnFailure = 125;

struct RunArguments {
  std::string name;
  std::string runtime, network = "none", verity = "require", method = "auto";
  std::string on_damage = "continue";
  std::vector<std::string> volumes, tmpfs, env_files;
  std::string memory, cpus, pids, rw_size, tmpfs_size;
  std::string entrypoint, late_option;
  int status_fd = -1;
  bool remove = false;  // as always
  run::RunOptions options;
};

Result<void> serve_root(const std::shared_ptr<const tree::FileTree>& tree,
                        const std::string& mountpoint, bool others, int ready_fd,
                        DamageWatch& damage) {
  UniqueFd ready(ready_fd);
  serve::FuseOptions options;
  options.mountpoint = mountpoint;
  options.allow_other = others;
  options.log = [&damage](std::string_view line) { damage.log(line); };
  options.ready_fd = ready.release();
  const auto server = TRY(serve::FuseServer::mount(tree, options));
  return server->serve();
}

/// For the container alone: the mount ends with the processes that hold the image's lease.
Result<run::RootAttacher> mount_root(const store::Store& store, const image::OpenedImage& image,
                                     const std::string& name, image::VerityMode verity) {
  const UniqueFd file = TRY(store.open_image(image.image_digest()));
  const auto mount = std::make_shared<kernel::ImageMount>(
      TRY(make_kernel_mount(store, image, name, verity, file.get())));
  return run::RootAttacher(
      [mount](const std::string& directory) { return mount->attach(directory); });
}

/// Whether to ask the kernel first. It checks as strictly as the FUSE server only in the mode
/// require, and damage that it finds is not reported to us. Only root may mount.
bool prefers_kernel(const RunArguments& arguments) {
  if (arguments.method != "auto") return arguments.method == "kernel";
  return arguments.verity == "require" && !arguments.options.writable &&
         arguments.on_damage == "continue" && ::geteuid() == 0;
}

/// Keeps the descriptor from the container.
Result<void> claim_status_fd(int fd) {
  if (fd < 0) return {};
  if (fd <= 2 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("--status-fd {}: not an open descriptor above 2", fd));
  return {};
}

void report_status(int fd, int status) {
  if (fd < 0) return;
  // The container's status matters more than a reader that has gone away.
  (void)write_all(fd, as_bytes(fmt::format("{}\n", status))).has_value();
}

/// What was given as text, as run::RunOptions wants it.
Result<void> read_options(RunArguments& arguments) {
  constexpr std::uint64_t kMaxEnvFile = 4 * 1024 * 1024;  // bytes
  run::RunOptions& options = arguments.options;
  if (!arguments.runtime.empty()) options.runtime = TRY(run::parse_runtime(arguments.runtime));
  options.network = TRY(run::parse_network(arguments.network));
  for (const auto& text : arguments.volumes)
    options.volumes.push_back(TRY(run::parse_volume(text)));
  for (const auto& text : arguments.tmpfs) options.tmpfs.push_back(TRY(run::parse_tmpfs(text)));
  if (!arguments.memory.empty())
    options.limits.memory = TRY(run::parse_bytes("--memory", arguments.memory));
  if (!arguments.cpus.empty()) options.limits.cpu_quota = TRY(run::parse_cpus(arguments.cpus));
  if (!arguments.pids.empty()) options.limits.pids = TRY(run::parse_pids(arguments.pids));
  if (!arguments.rw_size.empty()) {
    options.writable = true;
    options.writable_size = TRY(run::parse_bytes("--rw-size", arguments.rw_size));
    // tmpfs takes 0 for no limit.
    if (*options.writable_size == 0)
      return Error(ErrorKind::invalid_argument, "--rw-size 0: leave out --rw for a read-only root");
  }
  if (!arguments.tmpfs_size.empty()) {
    options.tmpfs_size = TRY(run::parse_bytes("--tmpfs-size", arguments.tmpfs_size));
    if (options.tmpfs_size == 0)
      return Error(ErrorKind::invalid_argument,
                   "--tmpfs-size 0: not a limit; give the size that you need");
  }
  // Variables of files come first: --env replaces them.
  std::vector<std::string> env;
  for (const auto& file : arguments.env_files) {
    const Bytes text = TRY(read_file(file, kMaxEnvFile));
    const auto variables = run::parse_env_file(as_text(text));
    if (!variables)
      return Error(variables.error().kind(), file + ": " + variables.error().message());
    env.insert(env.end(), variables->begin(), variables->end());
  }
  options.env.insert(options.env.begin(), env.begin(), env.end());
  if (arguments.method != "auto" && arguments.method != "fuse" && arguments.method != "kernel")
    return Error(ErrorKind::invalid_argument,
                 "--method " + arguments.method + ": not one of auto, fuse and kernel");
  if (arguments.on_damage != "continue" && arguments.on_damage != "kill")
    return Error(ErrorKind::invalid_argument,
                 "--on-damage " + arguments.on_damage + ": not one of continue and kill");
  if (arguments.method == "kernel" && options.writable)
    return Error(ErrorKind::invalid_argument,
                 "--rw: not possible with --method kernel, since overlayfs does not stack deeper");
  if (arguments.method == "kernel" && arguments.on_damage == "kill")
    return Error(ErrorKind::invalid_argument,
                 "--on-damage kill: not possible with --method kernel, which reports damage to the "
                 "program only");
  return {};
}

Result<run::Outcome> run_image(RunArguments& arguments, const StoreOption& store_option,
                               const AnchorOptions& anchors, DamageWatch& damage) {
  TRY(read_options(arguments));
  image::OpenOptions open_options;
  open_options.anchors = anchors.anchors();
  open_options.verity = TRY(image::parse_verity_mode(arguments.verity));
  if (open_options.verity == image::VerityMode::off)
    warn("--verity off: the contents of files are not checked");
  open_options.damage = [&damage](const image::Damage& found) { damage.note(found); };
  const auto store = TRY(store_option.open());
  const auto opened = TRY(image::OpenedImage::open(store, arguments.name, open_options));
  run::ContainerParts parts{.tree = opened->tree(),
                            .image = process_image(opened->config()),
                            .mount = {},
                            .serve = {},
                            .warn = [](std::string_view line) { warn(visible(line)); },
                            .damaged = [&damage] { return damage.count() > 0; },
                            .kill_fd = arguments.on_damage == "kill" ? damage.event_fd() : -1};
  if (prefers_kernel(arguments))
    parts.mount = [&] { return mount_root(*store, *opened, arguments.name, open_options.verity); };
  if (arguments.method != "kernel")
    parts.serve = [&damage](auto tree, const std::string& mountpoint, bool others, int ready_fd) {
      return serve_root(tree, mountpoint, others, ready_fd, damage);
    };
  return run::run_container(parts, arguments.options);
}

/// Runs the container and tells how it ended: on stderr, on the status descriptor, by the status.
int run_and_report(const CLI::App& command, RunArguments& arguments, const StoreOption& store,
                   const AnchorOptions& anchors) {
  const auto fail = [&](const Error& error, int status) {
    report_error(error.message(), error.kind(), status, takes_json(command));
    report_status(arguments.status_fd, exit_status(error));
    return status;
  };
  // Once the container has read something it may have printed something, and stdout is its own.
  const auto fail_after = [&](const Error& error, int status) {
    tell("intact: {}\n", visible_message(error.message()));
    report_status(arguments.status_fd, exit_status(error));
    return status;
  };
  if (auto claimed = claim_status_fd(arguments.status_fd); !claimed) {
    arguments.status_fd = -1;
    return fail(claimed.error(), kOwnFailure);
  }
  if (!arguments.late_option.empty())
    warn(
        fmt::format("{} after the image name is taken as an option of `run`, and so are options "
                    "after it; put options before the name",
                    arguments.late_option));
  const auto damage = DamageWatch::create();
  if (!damage) return fail(damage.error(), kOwnFailure);
  const auto outcome = run_image(arguments, store, anchors, **damage);
  (*damage)->finish();
  const std::uint32_t blocks = (*damage)->count();
  const auto tampered = [&](std::string_view what) {
    return Error(ErrorKind::tampered,
                 fmt::format("{0}: tampered: {1}; run `intact verify {0}`", arguments.name, what));
  };
  if (!outcome) {
    const Error& error = outcome.error();
    if (blocks > 0) return fail_after(tampered(error.message()), kOwnFailure);
    if (error.kind() == ErrorKind::tampered) return fail(tampered(error.message()), kOwnFailure);
    return fail(error, kOwnFailure);
  }
  if (blocks > 0) {
    // The container's status says nothing about this: a program may die of it or never notice.
    if (outcome->failure) tell("intact: {}\n", visible_message(outcome->failure->message()));
    return fail_after(tampered("the container met " + counted(blocks, "damaged block")),
                      outcome->status);
  }
  if (outcome->failure) return fail(*outcome->failure, outcome->status);
  report_status(arguments.status_fd, 0);
  return outcome->status;
}

void add_sandbox_options(CLI::App& command, RunArguments& arguments) {
  run::RunOptions& options = arguments.options;
  const auto one_each = [](CLI::Option* option) { option->allow_extra_args(false); };
  command.add_flag("--rw", options.writable,
                   "Writable root; what is written is discarded at the end");
  command
      .add_option("--rw-size", arguments.rw_size,
                  "Writable root that takes at most this much, in memory (implies --rw)")
      ->type_name("SIZE");
  one_each(command
               .add_option("-v,--volume", arguments.volumes,
                           "Mount a file or directory of the host; options: ro, rw, noexec, z, Z")
               ->type_name("SRC:DST[:OPTION,...]"));
  one_each(
      command
          .add_option("--tmpfs", arguments.tmpfs,
                      "Mount a writable file system in memory that starts with what the image has "
                      "there; options: size=, mode=, uid=, gid=, ro, exec, notmpcopyup")
          ->type_name("DST[:OPTION,...]"));
  command
      .add_option("--tmpfs-size", arguments.tmpfs_size,
                  fmt::format("Limit what /run, /tmp, /var/tmp and the image's volumes hold "
                              "together, in memory, and each --tmpfs without size= (default: {})",
                              run::bytes_text(run::kDefaultTmpfsSize)))
      ->type_name("SIZE");
  command.add_option("--network", arguments.network, "No network at all, or that of the host")
      ->type_name("none|host");
  command.add_option("--hostname", options.hostname, "Host name of the container")
      ->type_name("HOST");
  one_each(command.add_option("--cap-add", options.cap_add, "Add a capability, or ALL")
               ->type_name("CAP"));
  one_each(command.add_option("--cap-drop", options.cap_drop, "Drop a capability, or ALL")
               ->type_name("CAP"));
  command.add_option("--memory", arguments.memory, "Limit memory, e.g. 512m (needs root)")
      ->type_name("SIZE");
  command.add_option("--cpus", arguments.cpus, "Limit processor time, e.g. 1.5 (needs root)")
      ->type_name("N");
  command
      .add_option("--pids-limit", arguments.pids,
                  "Limit processes and threads (default: 2048; -1: no limit; needs root)")
      ->type_name("N");
}

void add_process_options(CLI::App& command, RunArguments& arguments) {
  run::RunOptions& options = arguments.options;
  const auto one_each = [](CLI::Option* option) { option->allow_extra_args(false); };
  one_each(command
               .add_option("-e,--env", options.env,
                           "Set an environment variable; K alone passes on the caller's value")
               ->type_name("K[=V]"));
  one_each(command
               .add_option("--env-file", arguments.env_files,
                           "Set the environment variables in this file (lines K=V or K)")
               ->type_name("FILE"));
  command.add_flag("-i,--interactive", options.interactive, "Pass stdin to the container");
  command.add_flag("-t,--tty", options.terminal, "Give the container a terminal (implies -i)");
  command.add_flag("--init", options.init,
                   "Run a small init as process 1, which passes signals on and reaps processes");
  command.add_flag("--rm", arguments.remove,
                   "Accepted for podman's sake: containers are always removed");
  command.add_option("-w,--workdir", options.working_dir, "Working directory")->type_name("PATH");
  command.add_option("-u,--user", options.user, "User instead of the image's; digits are an id")
      ->type_name("USER[:GROUP]");
}

}  // namespace

void add_run_command(Program& program) {
  CLI::App* command = program.add(program.app(), "run", "Run a command in a container of an image");
  program.set_usage_status("run", 125);  // 2 could be the container's
  auto arguments = std::make_shared<RunArguments>();
  StoreOption store(command);
  AnchorOptions anchors(command);
  command->add_option("NAME", arguments->name, "Image in the store")->required();
  command
      ->add_option("--runtime", arguments->runtime,
                   "Container runtime (default: the first that works)")
      ->type_name("crun|runc|runsc");
  add_sandbox_options(*command, *arguments);
  add_process_options(*command, *arguments);
  CLI::Option* entrypoint = command
                                ->add_option("--entrypoint", arguments->entrypoint,
                                             "Program instead of the image's entrypoint and cmd")
                                ->type_name("PATH");
  command
      ->add_option("--verity", arguments->verity,
                   "Contents without a digest: refuse (require) or allow (on, validate) them; off "
                   "checks no contents at all")
      ->type_name("require|on|validate|off");
  command
      ->add_option(
          "--method", arguments->method,
          "Serve the root by FUSE or by the kernel; auto: by the kernel where it checks as "
          "strictly")
      ->type_name("auto|fuse|kernel");
  command
      ->add_option("--on-damage", arguments->on_damage,
                   "When damaged data is read: fail that read and continue, or kill the container")
      ->type_name("continue|kill");
  command
      ->add_option("--status-fd", arguments->status_fd,
                   "Write to this descriptor: 0 when the container was run, 3 when it met damaged "
                   "data, otherwise the precise exit code of the failure")
      ->type_name("N");
  command->footer(
      "Everything after NAME is the command of the container and its arguments; it is run "
      "instead of the image's cmd.");
  program.before_parsing([=](std::vector<std::string>& all) {
    if (all.empty() || all.front() != "run") return;
    ContainerCommand taken = take_container_command(all, *command);
    arguments->options.command = std::move(taken.words);
    arguments->late_option = std::move(taken.late_option);
  });
  program.on_chosen(command, [=]() -> Result<int> {
    if (entrypoint->count() > 0) arguments->options.entrypoint = arguments->entrypoint;
    return run_and_report(*command, *arguments, store, anchors);
  });
}

}  // namespace intact::cli
