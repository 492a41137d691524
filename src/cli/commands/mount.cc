#include <algorithm>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/image/opened_image.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>

#include "../anchor_options.h"
#include "../background.h"
#include "../command.h"
#include "../commands.h"
#include "../mount_record.h"
#include "../store_option.h"

namespace intact::cli {
namespace {

constexpr std::chrono::seconds kMostWaitForServer(10);
constexpr std::string_view kMountType = "fuse.intact";

struct MountOptions {
  std::string name;
  std::string directory;
  std::string verity = "require";
  std::string method = "auto";
  std::string log;
  std::vector<std::string> object_dirs;
  bool allow_other = false;
  bool foreground = false;
};

/// Lines with a time, each different one once: damage is met again at every attempt to read it.
/// Thread-safe.
class MountLog {
 public:
  explicit MountLog(int fd) : fd_(fd) {}

  void add(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= kMostLines || !lines_.emplace(line).second) return;
    write_line(line);
    if (lines_.size() == kMostLines) write_line("too many different lines: no more are logged");
  }

  void add(const image::Damage& damage) {
    add(fmt::format("DAMAGED {}: block {} (byte {}) of {}: {}",
                    damage.path.empty() ? "(image metadata)" : damage.path, damage.block,
                    damage.offset, damage.object, damage.reason));
  }

 private:
  static constexpr std::size_t kMostLines = 100000;

  void write_line(std::string_view line) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char time[40];
    time[std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &local)] = '\0';
    std::string text = fmt::format("{} {}", time, line);
    // Paths come from the image: none of them may forge a line or steer a terminal.
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    text += '\n';
    (void)write_all(fd_, as_bytes(text));
  }

  int fd_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> lines_;
};

/// A log of the given name, or a new one in the runtime directory.
class LogFile {
 public:
  static Result<LogFile> open(const std::string& given, const std::string& image_name) {
    LogFile log;
    log.path_ = given;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
    if (given.empty()) {
      std::string name = image_name;
      std::replace_if(
          name.begin(), name.end(),
          [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '-'; }, '_');
      name = name.substr(0, 100);
      log.path_ = fmt::format("{}/{}-{}.log", TRY(make_runtime_dir()), name, ::getpid());
      log.is_ours_ = true;
    } else if (given.front() != '/') {
      char* const here = ::getcwd(nullptr, 0);
      if (here == nullptr) return Error::from_errno("cannot tell the current directory", errno);
      log.path_ = fmt::format("{}/{}", here, given);
      std::free(here);
    }
    log.fd_ = TRY(open_file(log.path_, flags, 0600).context("log file"));
    return log;
  }

  /// At the end: a log in the runtime directory that nothing was written to is not left there.
  void tidy_up() const {
    const auto size = file_size(fd_.get());
    if (is_ours_ && size && *size == 0) ::unlink(path_.c_str());
  }

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  LogFile() = default;
  std::string path_;
  UniqueFd fd_;
  bool is_ours_ = false;
};

/// A mount over the store would hide it from its own server, which would wait for itself.
Result<void> check_store_is_elsewhere(const std::string& store, const std::string& directory) {
  char store_path[PATH_MAX];
  char directory_path[PATH_MAX];
  if (::realpath(store.c_str(), store_path) == nullptr ||
      ::realpath(directory.c_str(), directory_path) == nullptr)
    return {};  // opening them tells what is wrong
  const std::string below = std::string(store_path) + "/";
  if (below.starts_with(std::string(directory_path) + "/"))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{} holds the store {}: mount somewhere else", directory, store));
  return {};
}

/// Makes room: a mount whose server was killed goes away, a living one is not covered.
Result<void> prepare_directory(const std::string& directory) {
  auto entry = TRY(serve::find_mount(directory));
  if (!entry) return {};
  if (!MountServer::find(*entry).is_running() && TRY(serve::clear_dead_mount(directory))) {
    warn(fmt::format("{} held a mount whose server was gone; it has been removed", directory));
    entry = TRY(serve::find_mount(directory));
  }
  if (entry && entry->type == kMountType)
    return Error(ErrorKind::busy, fmt::format("'{}' is mounted on {} already: `intact umount` it",
                                              entry->source, directory));
  return {};
}

/// Checks and mounts the image and serves it until it is unmounted. `process` is null in the
/// foreground.
Result<void> serve_image(const MountOptions& options, const StoreOption& store_option,
                         const sign::Anchors& anchors, const LogFile* log_file,
                         BackgroundProcess* process) {
  std::optional<MountRecord> record;  // the last to go: who waits for it finds all given back
  TRY(prepare_directory(options.directory));
  const auto store = TRY(store_option.open());
  TRY(check_store_is_elsewhere(store->path(), options.directory));
  for (const std::string& dir : options.object_dirs) TRY(store->add_object_dir(dir));

  MountLog log(log_file ? log_file->fd() : STDERR_FILENO);
  image::OpenOptions open_options;
  open_options.anchors = anchors;
  open_options.verity = TRY(image::parse_verity_mode(options.verity));
  open_options.damage = [&log](const image::Damage& damage) { log.add(damage); };
  const auto image = TRY(image::OpenedImage::open(store, options.name, open_options));

  serve::FuseOptions fuse;
  fuse.mountpoint = options.directory;
  fuse.allow_other = options.allow_other;
  fuse.fsname = options.name;
  fuse.log = [&log](std::string_view line) { log.add(line); };
  fuse.handle_signals = true;
  if (process) fuse.ready_fd = process->take_ready_fd();
  const auto server = TRY(serve::FuseServer::mount(image->tree(), fuse));
  record.emplace(TRY(MountRecord::create(server->device())));
  if (process) {
    process->leave_terminal(log_file->fd());
  } else {
    print("Mounted '{}' on {}; Ctrl-C or `intact umount` ends it\n", options.name,
          server->mountpoint());
    std::fflush(stdout);
  }
  Result<void> served = server->serve();
  if (!served && log_file) log.add(served.error().message());
  if (log_file) log_file->tidy_up();
  return served;
}

Result<int> mount(const MountOptions& options, const StoreOption& store,
                  const AnchorOptions& anchor_options) {
  if (options.method == "kernel")
    return Error(ErrorKind::unsupported,
                 "--method kernel is not there yet: leave it out, or use --method fuse");
  TRY(fill_standard_descriptors());
  const sign::Anchors anchors = anchor_options.anchors();
  if (options.verity == "off") warn("--verity off: file contents are not checked");
  if (options.foreground) {
    std::optional<LogFile> log;
    if (!options.log.empty()) log.emplace(TRY(LogFile::open(options.log, options.name)));
    TRY(serve_image(options, store, anchors, log ? &*log : nullptr, nullptr));
    return 0;
  }
  // Opened here, so that its name can be told.
  const LogFile log = TRY(LogFile::open(options.log, options.name));
  const auto mounted = run_in_background([&](BackgroundProcess& process) {
    return serve_image(options, store, anchors, &log, &process);
  });
  if (!mounted) {
    log.tidy_up();
    return Error(mounted.error());
  }
  print("Mounted '{}' on {}; log: {}\n", options.name, options.directory, log.path());
  return 0;
}

struct UmountOptions {
  std::string directory;
  bool lazy = false;
};

Result<int> umount(const UmountOptions& options) {
  const auto entry = TRY(serve::find_mount(options.directory));
  if (!entry || entry->type != kMountType)
    return Error(ErrorKind::not_found, fmt::format("{} is not a mount of ours", options.directory));
  const MountServer server = MountServer::find(*entry);
  auto result = serve::unmount(options.directory, options.lazy);
  if (!result) {
    // In use, but by whom, if there is nobody to serve it?
    if (result.error().kind() == ErrorKind::busy && serve::is_dead_mount(options.directory)) {
      TRY(serve::clear_dead_mount(options.directory));
      return 0;
    }
    if (result.error().kind() == ErrorKind::busy)
      return Error(ErrorKind::busy,
                   fmt::format("{} is in use: end what uses it (`fuser -vm {}` lists it), or give "
                               "--lazy",
                               options.directory, options.directory));
    return std::move(result).error();
  }
  // A lazily unmounted one serves on for those who still have files open.
  if (!options.lazy && !server.wait_for_end(kMostWaitForServer))
    warn("unmounted, but the server is still running");
  return 0;
}

}  // namespace

void add_mount_commands(Program& program) {
  auto options = std::make_shared<MountOptions>();
  CLI::App* command = program.add(program.app(), "mount",
                                  "Show an image as a directory in which every read is checked");
  command->add_option("NAME", options->name, "Image in the store")->required();
  command->add_option("DIR", options->directory, "Existing directory to mount on")->required();
  command
      ->add_option("--verity", options->verity,
                   "Contents without a digest: refuse (require) or allow (on, validate) them; off "
                   "checks no contents at all")
      ->check(CLI::IsMember({"require", "on", "validate", "off"}));
  command->add_option("--method", options->method, "How to mount; auto is fuse")
      ->check(CLI::IsMember({"auto", "fuse", "kernel"}));
  command->add_flag("--allow-other", options->allow_other,
                    "Let other users in, as far as file modes and ACLs allow");
  command
      ->add_option("--objects-from", options->object_dirs,
                   "Look for objects in this directory, too (of podman or mkcomposefs); only read; "
                   "may be repeated")
      ->type_name("DIR")
      ->take_all()
      ->expected(1)
      ->default_str("");
  command
      ->add_option("--log", options->log,
                   "Append to this file (default: one in /run/intact or $XDG_RUNTIME_DIR/intact)")
      ->type_name("FILE");
  command->add_flag("--foreground", options->foreground, "Serve here, until unmounted or Ctrl-C");
  const StoreOption store(command);
  const AnchorOptions anchors(command);
  program.on_chosen(command, [options, store, anchors] { return mount(*options, store, anchors); });

  auto umount_options = std::make_shared<UmountOptions>();
  CLI::App* umount_command =
      program.add(program.app(), "umount", "End a mount and wait until its server is gone");
  umount_command->add_option("DIR", umount_options->directory, "What was mounted on")->required();
  umount_command->add_flag("--lazy", umount_options->lazy,
                           "Take it away although it is in use; the server ends with its last "
                           "user");
  program.on_chosen(umount_command, [umount_options] { return umount(*umount_options); });
}

}  // namespace intact::cli
