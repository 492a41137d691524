#include <algorithm>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/visible.h>
#include <intact/image/opened_image.h>
#include <intact/run/container.h>
#include <intact/serve/fuse_server.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "container_command.h"
#include "kernel_mount.h"
#include "process_image.h"
#include "store_option.h"

namespace intact::cli {
namespace {

// As container engines do: a status that a container seldom has says that it is the engine's own.
constexpr int kOwnFailure = 125;

struct RunArguments {
  std::string name;
  std::string runtime, network = "none", verity = "require", method = "auto";
  std::vector<std::string> volumes;
  std::string entrypoint;
  int status_fd = -1;
  run::RunOptions options;
};

/// One line on stderr for each damaged block, however often it is read.
class DamageLog {
 public:
  void operator()(const image::Damage& damage) {
    const std::lock_guard lock(mutex_);
    if (seen_.size() >= kMost || !seen_.insert({damage.object, damage.block}).second) return;
    warn(visible(fmt::format("damaged: {}: block {} (byte {}) of {}: {}",
                             damage.path.empty() ? "the image's metadata" : damage.path,
                             damage.block, damage.offset, damage.object, damage.reason)));
  }

 private:
  static constexpr std::size_t kMost = 10'000;
  std::mutex mutex_;
  std::set<std::pair<std::string, std::uint64_t>> seen_;
};

Result<void> serve_root(const std::shared_ptr<const tree::FileTree>& tree,
                        const std::string& mountpoint, bool others, int ready_fd) {
  UniqueFd ready(ready_fd);
  serve::FuseOptions options;
  options.mountpoint = mountpoint;
  options.allow_other = others;
  options.log = [](std::string_view line) { warn(visible(line)); };
  options.ready_fd = ready.release();
  const auto server = TRY(serve::FuseServer::mount(tree, options));
  return server->serve();
}

/// For the container alone: the mount goes with the processes that hold the image's lease.
Result<run::RootAttacher> mount_root(const store::Store& store, const image::OpenedImage& image,
                                     const std::string& name, image::VerityMode verity) {
  const UniqueFd file = TRY(store.open_image(image.image_digest()));
  const auto mount = std::make_shared<serve::KernelMount>(
      TRY(make_kernel_mount(store, image, name, verity, file.get())));
  return run::RootAttacher(
      [mount](const std::string& directory) { return mount->attach(directory); });
}

/// Whether the kernel is to be asked first. It checks as strictly as the FUSE server only in the
/// mode require, and is not asked in vain by those who may not mount.
bool prefers_kernel(const RunArguments& arguments) {
  if (arguments.method != "auto") return arguments.method == "kernel";
  return arguments.verity == "require" && !arguments.options.writable && ::geteuid() == 0;
}

/// Takes the descriptor for ourselves: the container does not get it.
Result<void> claim_status_fd(int fd) {
  if (fd < 0) return {};
  if (fd <= 2 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("--status-fd {}: not an open descriptor above 2", fd));
  return {};
}

void report_status(int fd, int status) {
  if (fd < 0) return;
  // A reader that has gone away is no reason to lose the container's status.
  (void)write_all(fd, as_bytes(fmt::format("{}\n", status))).has_value();
}

Result<run::Outcome> run_image(RunArguments arguments, const StoreOption& store_option,
                               const AnchorOptions& anchors) {
  run::RunOptions& options = arguments.options;
  if (!arguments.runtime.empty()) options.runtime = TRY(run::parse_runtime(arguments.runtime));
  options.network = TRY(run::parse_network(arguments.network));
  for (const auto& text : arguments.volumes)
    options.volumes.push_back(TRY(run::parse_volume(text)));

  image::OpenOptions open_options;
  open_options.anchors = anchors.anchors();
  open_options.verity = TRY(image::parse_verity_mode(arguments.verity));
  if (arguments.method != "auto" && arguments.method != "fuse" && arguments.method != "kernel")
    return Error(ErrorKind::invalid_argument,
                 "--method " + arguments.method + ": not auto, fuse or kernel");
  if (arguments.method == "kernel" && options.writable)
    return Error(ErrorKind::invalid_argument,
                 "--rw is for --method fuse: overlayfs stacks no third file system");
  if (open_options.verity == image::VerityMode::off)
    warn("--verity off: the contents of files are not checked");
  auto log = std::make_shared<DamageLog>();
  open_options.damage = [log](const image::Damage& damage) { (*log)(damage); };
  const auto store = TRY(store_option.open());
  const auto opened = TRY(image::OpenedImage::open(store, arguments.name, open_options));
  run::ContainerParts parts{.tree = opened->tree(),
                            .image = process_image(opened->config()),
                            .mount = {},
                            .serve = {},
                            .warn = [](std::string_view line) { warn(visible(line)); }};
  if (prefers_kernel(arguments))
    parts.mount = [&] { return mount_root(*store, *opened, arguments.name, open_options.verity); };
  if (arguments.method != "kernel") parts.serve = serve_root;
  return run::run_container(parts, options);
}

}  // namespace

void add_run_command(Program& program) {
  CLI::App* command = program.add(program.app(), "run", "Run a command in a container of an image");
  auto arguments = std::make_shared<RunArguments>();
  run::RunOptions& options = arguments->options;
  StoreOption store(command);
  AnchorOptions anchors(command);
  command->add_option("NAME", arguments->name, "Image in the store")->required();
  const auto one_each = [](CLI::Option* option) { option->allow_extra_args(false); };
  command
      ->add_option("--runtime", arguments->runtime,
                   "Program that makes the container; without it the first that works")
      ->type_name("crun|runc|runsc");
  command->add_flag("--rw", options.writable, "Writable root, thrown away at the end");
  one_each(command
               ->add_option("-e,--env", options.env,
                            "Environment variable, or K to pass on the caller's value")
               ->type_name("K[=V]"));
  one_each(
      command->add_option("-v,--volume", arguments->volumes, "Show a file or directory of the host")
          ->type_name("SRC:DST[:ro]"));
  command
      ->add_option("--network", arguments->network,
                   "Network of the container: none at all, or the host's")
      ->type_name("none|host");
  command->add_flag("-i,--interactive", options.interactive, "Keep stdin");
  command->add_flag("-t,--tty", options.terminal, "Give it a terminal (implies -i)");
  command->add_option("-w,--workdir", options.working_dir, "Working directory")->type_name("PATH");
  command->add_option("-u,--user", options.user, "User instead of the image's")
      ->type_name("USER[:GROUP]");
  command->add_option("--hostname", options.hostname, "Host name of the container")
      ->type_name("HOST");
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
      ->add_option("--method", arguments->method,
                   "Who serves the root: the kernel where it checks as strictly (auto), or one of "
                   "the two")
      ->type_name("auto|fuse|kernel");
  command
      ->add_option("--status-fd", arguments->status_fd,
                   "Write the precise exit code of a failure of intact itself to this "
                   "descriptor, 0 when the container was run")
      ->type_name("N");
  command->footer("[--] CMD... behind the options is run instead of the image's cmd.");
  program.before_parsing([=](std::vector<std::string>& all) {
    if (!all.empty() && all.front() == "run")
      arguments->options.command = take_container_command(all, *command);
  });
  program.on_chosen(command, [=]() -> Result<int> {
    const auto fail = [&](const Error& error, int status) {
      fmt::print(stderr, "intact: {}\n", visible(error.message()));
      report_status(arguments->status_fd, exit_status(error));
      return status;
    };
    if (entrypoint->count() > 0) arguments->options.entrypoint = arguments->entrypoint;
    if (auto claimed = claim_status_fd(arguments->status_fd); !claimed) {
      arguments->status_fd = -1;
      return fail(claimed.error(), kOwnFailure);
    }
    const auto outcome = run_image(*arguments, store, anchors);
    if (!outcome) return fail(outcome.error(), kOwnFailure);
    if (outcome->failure) return fail(*outcome->failure, outcome->status);
    report_status(arguments->status_fd, 0);
    return outcome->status;
  });
}

}  // namespace intact::cli
