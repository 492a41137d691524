#include "front_end.h"

#include <cstdio>
#include <optional>

#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>
#include <intact/base/visible.h>
#include <intact/block/device_files.h>
#include <intact/console/progress.h>
#include <intact/nbdkit_plugin.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>
#include <intact/serve/nbdkit.h>
#include <intact/service/background.h>
#include <intact/service/log_file.h>
#include <intact/service/server.h>
#include <intact/stack/plan.h>

#include "command.h"

namespace intact::cli {

/// Where a server logs damage, and whether it leaves the terminal.
struct FrontEnd::Log {
  const service::LogFile* file;         // none: stderr
  service::BackgroundProcess* process;  // none: in the foreground

  int fd() const { return file ? file->fd() : STDERR_FILENO; }
};

namespace {

const char* what_for(bool writable) {
  return writable ? "read and written" : "read";
}

}  // namespace

void FrontEnd::add_options(CLI::App* command, FrontEndAbilities abilities) {
  abilities_ = abilities;
  if (abilities.writable) command->add_flag("-r,--readonly", read_only_, "Open read-only");
  command
      ->add_option("--fuse", fuse_,
                   "Serve the volume as a plain file, mounted over this existing one")
      ->type_name("FILE");
  command
      ->add_option("--nbd", nbd_,
                   "Serve the volume over NBD at this unix socket or tcp:HOST:PORT (needs nbdkit)")
      ->type_name("SOCKET|tcp:HOST:PORT");
  command->add_option("--to", to_, "Copy the volume to this new file ('-': stdout)")
      ->type_name("FILE");
  if (abilities.dm)
    command->add_option("--dm", dm_, "Make the kernel open the volume as /dev/mapper/DEVICE")
        ->type_name("DEVICE");
  CLI::Option* const daemon =
      command->add_flag("--daemon", daemon_, "Detach once the server is ready");
  command
      ->add_option("--pid-file", pid_file_,
                   "With --daemon: write the process id of the server to this file")
      ->type_name("FILE")
      ->needs(daemon);
  command
      ->add_option(
          "--log", log_,
          "Append messages about damage to this file (default: stderr; with --daemon, a file in "
          "/run/intact or $XDG_RUNTIME_DIR/intact)")
      ->type_name("FILE");
  command->add_flag("--allow-other", allow_other_, "With --fuse: let other users read the file");
  command
      ->add_option(
          "--tls-certificates", tls_certificates_,
          "With --nbd: require TLS, with the certificates in this directory (see nbdkit-tls(1))")
      ->type_name("DIR");
  command
      ->add_option("--tls-psk", tls_psk_,
                   "With --nbd: require TLS with a pre-shared key of this file")
      ->type_name("FILE");
}

Result<void> FrontEnd::check() const {
  if (int(!fuse_.empty()) + int(!nbd_.empty()) + int(!to_.empty()) + int(!dm_.empty()) != 1)
    return wrong(abilities_.dm
                     ? "how to open the volume: pass one of --fuse FILE, --nbd SOCKET, --to FILE, "
                       "--dm DEVICE"
                     : "how to open the volume: pass one of --fuse FILE, --nbd SOCKET, --to FILE");
  if (!(to_.empty() && dm_.empty()) && (daemon_ || !log_.empty()))
    return wrong("--daemon and --log: only with --fuse or --nbd");
  if (fuse_.empty() && allow_other_) return wrong("--allow-other: only with --fuse");
  if (nbd_.empty() && (!tls_certificates_.empty() || !tls_psk_.empty()))
    return wrong("--tls-certificates and --tls-psk: only with --nbd");
  if (!tls_certificates_.empty() && !tls_psk_.empty())
    return wrong("--tls-certificates and --tls-psk: pass only one of them");
  return {};
}

block::Access FrontEnd::access() const {
  return abilities_.writable && !read_only_ && to_.empty() ? block::Access::read_write
                                                           : block::Access::read_only;
}

Result<int> FrontEnd::run(const Prepare& prepare, const Map& map) const {
  TRY(check());
  if (!dm_.empty()) {
    TRY(map(dm_));
    return 0;
  }
  TRY(service::fill_standard_descriptors());
  if (!to_.empty()) {
    stack::Plan plan = TRY(prepare(access()));
    TRY(copy(plan));
    return 0;
  }
  if (!daemon_) {
    stack::Plan plan = TRY(prepare(access()));
    std::optional<service::LogFile> file;
    if (!log_.empty()) file.emplace(TRY(service::LogFile::open(log_, plan.name)));
    TRY(serve(plan, {.file = file ? &*file : nullptr, .process = nullptr}));
    return 0;
  }
  const service::LogFile file = TRY(service::LogFile::open(log_, fuse_.empty() ? "nbd" : "fuse"));
  const auto ready =
      service::run_in_background([&](service::BackgroundProcess& process) -> Result<void> {
        stack::Plan plan = TRY(prepare(access()));
        return serve(plan, {.file = &file, .process = &process});
      });
  if (!ready) {
    file.tidy_up();
    return Error(ready.error());
  }
  if (!pid_file_.empty()) {
    const auto written = write_file_durably(pid_file_, as_bytes(fmt::format("{}\n", *ready)), 0644);
    if (!written) {
      // Who asked for the number has no other way to end it.
      service::end_background(*ready);
      file.tidy_up();
      return Error(written.error()).with_context("--pid-file");
    }
  }
  print("Ready; log: {}\n", file.path());
  return 0;
}

Result<void> FrontEnd::serve(stack::Plan& plan, const Log& log) const {
  return nbd_.empty() ? serve_file(plan, log) : serve_nbd(plan, log);
}

Result<void> FrontEnd::serve_file(stack::Plan& plan, const Log& log) const {
  if (TRY(serve::clear_dead_mount(fuse_)))
    warn(fmt::format("{}: removed a mount whose server had ended", fuse_));
  if (TRY(serve::find_mount(fuse_)))
    return Error(ErrorKind::busy, fmt::format("{}: a mount point already", fuse_));
  service::Server life(
      {.log_fd = log.fd(), .logs_errors = log.process != nullptr, .title = plan.name});
  stack::Stack stack =
      TRY(stack::open(plan, {.log = life.log_sink(), .stop = [&life] { life.stop(); }}));
  serve::FuseOptions fuse;
  fuse.mountpoint = fuse_;
  fuse.allow_other = allow_other_;
  fuse.fsname = plan.name;
  fuse.log = life.log_sink();
  if (log.process) fuse.ready_fd = log.process->take_ready().release();
  const auto server = TRY(serve::FuseServer::mount_file(stack.top(), fuse));
  const auto end = TRY(life.end_on_request([&server] { server->stop(); }));
  TRY(life.record_mount(server->device()));
  if (stack.has_status() && stack.known_by())
    life.publish_status(stack.known_by()->fd(), [&stack] { return to_text(stack.status()); });
  if (log.process) {
    log.process->leave_terminal(log.fd());
  } else {
    print("{} can be {} at {}; Ctrl-C or `intact umount` ends it\n", visible(plan.name),
          what_for(stack.top()->writable()), server->mountpoint());
    std::fflush(stdout);
  }
  const Result<void> ended =
      life.close(server->serve(), {.close = [&stack] { return stack.close(); },
                                   .summary = [&stack] { return stack.summary(); }});
  if (log.file) log.file->tidy_up();
  return ended;
}

Result<void> FrontEnd::serve_nbd(stack::Plan& plan, const Log& log) const {
  // Opened here first, for its errors: nbdkit has only one exit status. It is nbdkit that replays
  // journals.
  const bool writable = TRY(stack::can_be_written(plan));
  stack::Stack stack = TRY(stack::open(plan, {}, stack::Writing::by_process));
  TRY(stack.close());
  const stack::Handover handover = TRY(stack::hand_over(plan));
  serve::NbdListener listener = TRY(serve::NbdListener::bind(nbd_));
  serve::NbdkitOptions options{.plugin = nbdkit_plugin(),
                               .description = handover.description,
                               .inherited = handover.descriptors,
                               .tls_certificates = tls_certificates_,
                               .tls_psk = tls_psk_};
  if (log.process) {
    options.ready_fd = log.process->take_ready().release();
    log.process->close_inherited(log.fd());
    options.log_fd = log.fd();
  } else {
    options.announcement = fmt::format("{} can be {} at {}; Ctrl-C ends it", visible(plan.name),
                                       what_for(writable), listener.uri());
    if (log.file) options.log_fd = log.fd();
  }
  return serve::become_nbdkit(std::move(listener), options);
}

Result<void> FrontEnd::copy(stack::Plan& plan) const {
  if (to_ == "-" && ::isatty(STDOUT_FILENO) == 1)
    return wrong("--to -: stdout is a terminal; redirect it to a file or a pipe");
  LineLog lines(STDERR_FILENO);
  const stack::Stack stack =
      TRY(stack::open(plan, {.log = [&lines](std::string_view line) { lines.add(line); }}));
  {
    ProgressLine line;
    const auto progress = progress_on(line, "Copying");
    if (to_ == "-")
      TRY(block::copy_in_order(*stack.top(), STDOUT_FILENO, progress).context("stdout"));
    else
      TRY(block::copy_to_new_file(*stack.top(), to_, progress));
  }
  if (const std::string summary = stack.summary(); !summary.empty()) warn(summary);
  return {};
}

}  // namespace intact::cli
