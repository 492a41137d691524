#include "run_options.h"

#include <fmt/format.h>

#include <intact/console/program.h>

namespace intact::cli {
namespace {

void add_sandbox_options(CLI::App& command, RunArguments& arguments) {
  run::RunOptions& options = arguments.options;
  const auto one_each = [](CLI::Option* option) { option->allow_extra_args(false); };
  command.add_flag("--rw", options.writable,
                   "Writable root; what is written is discarded at the end");
  command
      .add_option("--rw-size", arguments.texts.rw_size,
                  "Writable root that takes at most this much, in memory (implies --rw)")
      ->type_name("SIZE");
  one_each(command
               .add_option("-v,--volume", arguments.texts.volumes,
                           "Mount a file or directory of the host; options: ro, rw, noexec, z, Z")
               ->type_name("SRC:DST[:OPTION,...]"));
  one_each(
      command
          .add_option("--tmpfs", arguments.texts.tmpfs,
                      "Mount a writable file system in memory that starts with what the image has "
                      "there; options: size=, mode=, uid=, gid=, ro, exec, notmpcopyup")
          ->type_name("DST[:OPTION,...]"));
  command
      .add_option("--tmpfs-size", arguments.texts.tmpfs_size,
                  fmt::format("Limit what /run, /tmp, /var/tmp and the image's volumes hold "
                              "together, in memory, and each --tmpfs without size= (default: {})",
                              run::bytes_text(run::kDefaultTmpfsSize)))
      ->type_name("SIZE");
  command
      .add_option("--network", arguments.texts.network, "No network at all, or that of the host")
      ->type_name("none|host");
  command.add_option("--hostname", options.hostname, "Host name of the container")
      ->type_name("HOST");
  one_each(command.add_option("--cap-add", options.cap_add, "Add a capability, or ALL")
               ->type_name("CAP"));
  one_each(command.add_option("--cap-drop", options.cap_drop, "Drop a capability, or ALL")
               ->type_name("CAP"));
  command.add_option("--memory", arguments.texts.memory, "Limit memory, e.g. 512m (needs root)")
      ->type_name("SIZE");
  command.add_option("--cpus", arguments.texts.cpus, "Limit processor time, e.g. 1.5 (needs root)")
      ->type_name("N");
  command
      .add_option("--pids-limit", arguments.texts.pids,
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
               .add_option("--env-file", arguments.texts.env_files,
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
  // An empty one is not the same as none.
  console::allow_empty(command
                           .add_option_function<std::string>(
                               "--entrypoint",
                               [&options](const std::string& path) { options.entrypoint = path; },
                               "Program instead of the image's entrypoint and cmd")
                           ->type_name("PATH"));
}

void add_root_options(CLI::App& command, RunArguments& arguments) {
  command
      .add_option("--verity", arguments.verity,
                  "Contents without a digest: refuse (require) or allow (on, validate) them; off "
                  "checks no contents at all")
      ->type_name("require|on|validate|off");
  command
      .add_option("--method", arguments.method,
                  "Serve the root by FUSE or by the kernel; auto: by the kernel where it checks as "
                  "strictly")
      ->type_name("auto|fuse|kernel");
  command
      .add_option("--on-damage", arguments.on_damage,
                  "When damaged data is read: fail that read and continue, or kill the container")
      ->type_name("continue|kill");
}

}  // namespace

void add_run_options(CLI::App& command, RunArguments& arguments) {
  command.add_option("NAME", arguments.name, "Image in the store")->required();
  command
      .add_option("--runtime", arguments.texts.runtime,
                  "Container runtime (default: the first that works)")
      ->type_name("crun|runc|runsc");
  add_sandbox_options(command, arguments);
  add_process_options(command, arguments);
  add_root_options(command, arguments);
  command
      .add_option("--status-fd", arguments.status_fd,
                  "Write to this descriptor: 0 when the container was run, 3 when it met damaged "
                  "data, otherwise the precise exit code of the failure")
      ->type_name("N");
  command.footer(
      "Everything after NAME is the command of the container and its arguments; it is run "
      "instead of the image's cmd.");
}

Result<void> read_run_options(RunArguments& arguments) {
  TRY(run::read_texts(arguments.texts, arguments.options));
  if (arguments.on_damage != "continue" && arguments.on_damage != "kill")
    return Error(ErrorKind::invalid_argument,
                 "--on-damage " + arguments.on_damage + ": not one of continue and kill");
  return {};
}

Result<rootfs::RootSpec> run_root_spec(const RunArguments& arguments) {
  rootfs::RootSpec spec{.method = TRY(rootfs::parse_method(arguments.method)),
                        .verity = TRY(image::parse_verity_mode(arguments.verity)),
                        .others = true,
                        .overlaid = arguments.options.writable,
                        .reports = arguments.on_damage == "kill"};
  const auto limit = rootfs::kernel_limit(spec);
  if (spec.method != rootfs::Method::kernel || !limit) return spec;
  return Error(
      ErrorKind::invalid_argument,
      *limit == rootfs::KernelLimit::overlaid
          ? "--rw: not possible with --method kernel, since overlayfs does not stack deeper"
          : "--on-damage kill: not possible with --method kernel, which reports damage to "
            "the program only");
}

}  // namespace intact::cli
