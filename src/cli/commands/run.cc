#include <algorithm>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/error.h>
#include <intact/base/file.h>
#include <intact/base/inherited.h>
#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/console/program.h>
#include <intact/image/opened_image.h>
#include <intact/rootfs/root.h>
#include <intact/run/container.h>
#include <intact/service/damage_watch.h>

#include "anchor_options.h"
#include "command.h"
#include "commands.h"
#include "process_image.h"
#include "run_options.h"
#include "store_option.h"

namespace intact::cli {
namespace {

// As container engines do: a status that containers seldom have marks a failure of the engine
// itself.
constexpr int kOwnFailure = 125;

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
                        service::DamageWatch& damage) {
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
  if (fd <= 2 || !check_inherited(fd) || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return Error(
        ErrorKind::invalid_argument,
        fmt::format(
            "--status-fd {}: not a descriptor above 2 that was open when the program was started",
            fd));
  return {};
}

void report_status(int fd, int status) {
  if (fd < 0) return;
  // The container's status matters more than a reader that has gone away.
  (void)write_all(fd, as_bytes(fmt::format("{}\n", status))).has_value();
}

Result<run::Outcome> run_image(RunArguments& arguments, const StoreOption& store_option,
                               const AnchorOptions& anchors, service::DamageWatch& damage) {
  TRY(read_run_options(arguments));
  const rootfs::RootSpec spec = TRY(run_root_spec(arguments));
  if (spec.verity == image::VerityMode::off)
    warn("--verity off: the contents of files are not checked");
  const image::OpenOptions open_options{
      .anchors = anchors.anchors(),
      .verity = spec.verity,
      .damage = [&damage](const Damage& found) { damage.note(found, "the image's metadata"); }};
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
  const auto damage = service::DamageWatch::create(&warn);
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

}  // namespace

void add_run_command(Program& program) {
  CLI::App* command = program.add(program.app(), "run", "Run a command in a container of an image");
  program.set_usage_status("run", kOwnFailure);  // 2 could be the container's
  auto arguments = std::make_shared<RunArguments>();
  StoreOption store(command);
  AnchorOptions anchors(command);
  add_run_options(*command, *arguments);
  program.before_parsing([=](std::vector<std::string>& all) {
    if (all.empty() || all.front() != "run") return;
    // For scripts that treat `run` as `mount` and `verify`.
    PassedWords taken = take_passed_words(all, *command, {"--pub", "--key"});
    arguments->options.command = std::move(taken.words);
    arguments->late_option = std::move(taken.late_option);
  });
  program.on_chosen(
      command, [=] { return Result<int>(run_and_report(*command, *arguments, store, anchors)); });
}

}  // namespace intact::cli
