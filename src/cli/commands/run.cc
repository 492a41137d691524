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
#include <intact/rootfs/kernel_root.h>
#include <intact/rootfs/served_root.h>
#include <intact/run/container.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "container_command.h"
#include "damage_watch.h"
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

/// What the options ask for: a root that users of the container share.
Result<rootfs::RootSpec> root_spec(const RunArguments& arguments) {
  rootfs::RootSpec spec{.method = TRY(rootfs::parse_method(arguments.method)),
                        .verity = TRY(image::parse_verity_mode(arguments.verity)),
                        .others = true,
                        .upper = arguments.options.writable,
                        .reports = arguments.on_damage == "kill"};
  const auto limit = rootfs::kernel_limit(spec);
  if (spec.method != rootfs::Method::kernel || !limit) return spec;
  return Error(
      ErrorKind::invalid_argument,
      *limit == rootfs::KernelLimit::upper
          ? "--rw: not possible with --method kernel, since overlayfs does not stack deeper"
          : "--on-damage kill: not possible with --method kernel, which reports damage to "
            "the program only");
}

/// Empty where FUSE has to do it.
Result<run::RootAttacher> mount_root(const rootfs::RootSource& source,
                                     const rootfs::RootSpec& spec) {
  auto made = TRY(rootfs::KernelRoot::mount(source, spec, rootfs::Hold::by_process));
  if (!made) return run::RootAttacher();
  const auto root = std::make_shared<rootfs::KernelRoot>(std::move(*made));
  return run::RootAttacher(
      [root](const std::string& directory) { return root->attach(directory); });
}

Result<void> serve_root(const rootfs::RootSource& source,
                        const std::shared_ptr<const tree::FileTree>& tree,
                        const std::string& mountpoint, bool others, int ready_fd,
                        DamageWatch& damage) {
  auto root = TRY(
      rootfs::ServedRoot::mount(source, tree,
                                {.directory = mountpoint,
                                 .others = others,
                                 .ready_fd = ready_fd,
                                 .log = [&damage](std::string_view line) { damage.log(line); }}));
  return root.serve();
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
  if (arguments.on_damage != "continue" && arguments.on_damage != "kill")
    return Error(ErrorKind::invalid_argument,
                 "--on-damage " + arguments.on_damage + ": not one of continue and kill");
  return {};
}

Result<run::Outcome> run_image(RunArguments& arguments, const StoreOption& store_option,
                               const AnchorOptions& anchors, DamageWatch& damage) {
  TRY(read_options(arguments));
  const rootfs::RootSpec spec = TRY(root_spec(arguments));
  if (spec.verity == image::VerityMode::off)
    warn("--verity off: the contents of files are not checked");
  const image::OpenOptions open_options{
      .anchors = anchors.anchors(),
      .verity = spec.verity,
      .damage = [&damage](const image::Damage& found) { damage.note(found); }};
  rootfs::RootSource source{.store = TRY(store_option.open()), .image = {}};
  source.image = TRY(image::OpenedImage::open(source.store, arguments.name, open_options));
  run::ContainerParts parts{.tree = source.image->tree(),
                            .image = process_image(source.image->config()),
                            .mount = {},
                            .serve = {},
                            .warn = [](std::string_view line) { warn(visible(line)); },
                            .damaged = [&damage] { return damage.count() > 0; },
                            .kill_fd = arguments.on_damage == "kill" ? damage.event_fd() : -1};
  const rootfs::Methods methods = rootfs::methods_for(spec);
  if (methods.kernel) parts.mount = [&] { return mount_root(source, spec); };
  if (methods.fuse)
    parts.serve = [&](auto tree, const std::string& mountpoint, bool others, int ready_fd) {
      return serve_root(source, tree, mountpoint, others, ready_fd, damage);
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
