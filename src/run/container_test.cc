#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/run/container.h>

#include "directory_tree.h"
#include "process.h"
#include "runtime.h"

// Real containers, with every runtime that is installed. The root is a handful of the host's
// programs with their libraries.

namespace intact::run {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
namespace fs = std::filesystem;

void copy_program(const std::string& name, const fs::path& root) {
  const std::string program = find_executable(name);
  ASSERT_FALSE(program.empty()) << name;
  const auto put = [&](const std::string& from, const fs::path& to) {
    fs::create_directories(to.parent_path());
    fs::copy_file(from, to, fs::copy_options::skip_existing);
  };
  put(program, root / "bin" / name);
  std::istringstream libraries(run_and_capture({find_executable("ldd"), program})->output);
  for (std::string word; libraries >> word;)
    if (word.front() == '/') put(word, root / word.substr(1));
}

/// A root that is made once for all tests.
const std::string& root_directory() {
  static const TempDir* dir = [] {
    auto* made = new TempDir(*TempDir::create());
    const fs::path root = made->path();
    ::chmod(root.c_str(), 0755);
    for (const char* name : {"sh", "cat", "id", "touch", "sleep", "mkdir", "stty", "ls", "stat"})
      copy_program(name, root);
    fs::create_directories(root / "etc");
    std::ofstream(root / "etc/passwd") << "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n";
    std::ofstream(root / "etc/hosts") << "10.1.2.3 db\n";
    std::ofstream(root / "etc/group") << "web:x:34:\nextra:x:44:web\n";
    fs::copy_file(root / "bin/id", root / "bin/suid-id");
    ::chmod((root / "bin/suid-id").c_str(), 04755);
    return made;
  }();
  return dir->path();
}

struct Ended {
  int status = -1;
  std::string output;  ///< stdout and stderr
};

class Container : public ::testing::TestWithParam<RuntimeKind> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "containers are tested as root only";
    if (!find_runtimes(GetParam(), ""))
      GTEST_SKIP() << to_string(GetParam()) << " is not installed";
    options_.runtime = GetParam();
  }
  static void TearDownTestSuite() { remove_tree(root_directory()).has_value(); }

  /// The root as a plain read-only mount: what serves it is another room's business.
  static Result<void> serve(std::shared_ptr<const tree::FileTree>, const std::string& mountpoint,
                            bool, int ready_fd) {
    if (::mount(root_directory().c_str(), mountpoint.c_str(), nullptr, MS_BIND, nullptr) != 0)
      return Error::from_errno("bind", errno);
    constexpr unsigned long kFlags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NODEV | MS_NOSUID;
    if (::mount(nullptr, mountpoint.c_str(), nullptr, kFlags, nullptr) != 0)
      return Error::from_errno("remount", errno);
    TRY(write_all(ready_fd, as_bytes("R")));
    for (;;) ::pause();
  }

  /// Mount points that the tests need, since the plain mount cannot add them as the served tree
  /// can.
  static void make_mount_points() {
    for (const char* name :
         {"proc", "dev", "sys", "tmp", "run", "var/tmp", "srv", "mnt/ro", "mnt/rw"})
      fs::create_directories(fs::path(root_directory()) / name);
  }

  pid_t start(int output_fd, int input_fd, bool own_session = false) {
    make_mount_points();
    return *fork_child(Lifetime::ends_with_us, [&]() -> int {
      if (own_session) {
        ::setsid();
        ::ioctl(input_fd, TIOCSCTTY, 0);
      }
      ::dup2(input_fd, STDIN_FILENO);
      ::dup2(output_fd, STDOUT_FILENO);
      ::dup2(output_fd, STDERR_FILENO);
      const ContainerParts parts{
          .tree = std::make_shared<intact::run::testing::DirectoryTree>(root_directory()),
          .image = image_,
          .serve = serve,
          .warn = nullptr,
          .damaged = nullptr};
      const auto outcome = run_container(parts, options_);
      if (!outcome) {
        fmt::print(stderr, "failed: {}\n", outcome.error().message());
        return 125;
      }
      if (outcome->failure) fmt::print(stderr, "not run: {}\n", outcome->failure->message());
      std::fflush(stderr);
      return outcome->status;
    });
  }

  static std::string read_all(int fd) {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t count; (count = ::read(fd, buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(count));
    return text;
  }

  Ended run(std::vector<std::string> command, std::string_view input = "") {
    options_.command = std::move(command);
    int out[2], in[2];
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(in, O_CLOEXEC), 0);
    EXPECT_TRUE(write_all(in[1], as_bytes(input)));
    ::close(in[1]);
    const pid_t child = start(out[1], in[0]);
    ::close(out[1]);
    ::close(in[0]);
    Ended ended;
    ended.output = read_all(out[0]);
    ::close(out[0]);
    ended.status = exit_status_of(wait_for(child));
    return ended;
  }
  Ended shell(const std::string& script, std::string_view input = "") {
    return run({"sh", "-c", script}, input);
  }

  /// A container whose script has written its first byte.
  struct Running {
    pid_t pid = -1;
    UniqueFd output;
  };
  Running start_script(const std::string& script) {
    options_.command = {"sh", "-c", script};
    int out[2];
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    Running running{.pid = start(out[1], STDIN_FILENO), .output = UniqueFd(out[0])};
    ::close(out[1]);
    char first;
    EXPECT_EQ(::read(out[0], &first, 1), 1);
    return running;
  }

  /// The mounts of the host where containers could leave something. Other tests mount below /tmp at
  /// the same time.
  static std::string mounts() {
    std::istringstream all(std::string(as_text(*read_file("/proc/self/mounts", 1 << 20))));
    std::string kept;
    for (std::string device, point, rest; all >> device >> point && std::getline(all, rest);) {
      if (point.starts_with("/run") || point.starts_with("/var") || point.starts_with("/sys"))
        kept += device + " " + point + rest + "\n";
    }
    return kept;
  }

  /// A terminal as a person has it, with a container that runs in the foreground of its session.
  struct Session {
    UniqueFd master;
    pid_t child = -1;
    std::string output;

    /// Reads until `text` has come; false at the end.
    bool wait_for_text(std::string_view text) {
      std::array<char, 4096> buffer;
      while (output.find(text) == std::string::npos) {
        const ssize_t count = ::read(master.get(), buffer.data(), buffer.size());
        if (count <= 0) return false;
        output.append(buffer.data(), static_cast<std::size_t>(count));
      }
      return true;
    }
    int end() {
      wait_for_text("\001 never");
      return exit_status_of(wait_for(child));
    }
  };
  Session start_session(const std::string& script) {
    options_.command = {"sh", "-c", script};
    Session session;
    session.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_EQ(::unlockpt(session.master.get()), 0);
    char name[64];
    EXPECT_EQ(::ptsname_r(session.master.get(), name, sizeof name), 0);
    const UniqueFd slave = *open_file(name, O_RDWR | O_NOCTTY);
    const winsize size = {33, 99, 0, 0};
    EXPECT_EQ(::ioctl(session.master.get(), TIOCSWINSZ, &size), 0);
    session.child = start(slave.get(), slave.get(), true);
    return session;
  }

  ProcessImage image_;
  RunOptions options_;
};

TEST_P(Container, PassesStatusesOn) {
  EXPECT_EQ(shell("exit 0").status, 0);
  EXPECT_EQ(shell("exit 7").status, 7);
  EXPECT_EQ(shell("sh -c 'kill -9 $$'").status, 137);
  EXPECT_EQ(run({"nosuch"}).status, 127);
  EXPECT_EQ(run({"/etc/passwd"}).status, 126);
}

TEST_P(Container, IsConfined) {
  const Ended ended = shell(
      "cat /proc/self/status; id; "
      "touch /new 2>/dev/null && echo BAD root; touch /tmp/new && echo good tmp; "
      "touch /run/new && echo good run; echo > /proc/sys/kernel/domainname 2>/dev/null && echo BAD "
      "sysctl; "
      "cat /proc/net/dev; cat /proc/kcore 2>/dev/null | { read -r x && echo BAD kcore; }; "
      "for f in /sys/firmware/*; do test -e $f && echo BAD firmware; done; "
      "set; echo end");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_THAT(ended.output, Not(HasSubstr("BAD")));
  EXPECT_THAT(ended.output, HasSubstr("good tmp"));
  EXPECT_THAT(ended.output, HasSubstr("good run"));
  EXPECT_THAT(ended.output, HasSubstr("CapEff:\t00000000800405fb"));
  EXPECT_THAT(ended.output, HasSubstr("CapBnd:\t00000000800405fb"));
  if (GetParam() != RuntimeKind::runsc) {
    EXPECT_THAT(ended.output, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(ended.output, HasSubstr("Seccomp:\t2"));
  }
  EXPECT_THAT(ended.output, HasSubstr("lo:"));
  EXPECT_THAT(ended.output, Not(HasSubstr("eth")));
}

/// The options of the mount on `point` that mountinfo in `output` has last.
std::string mount_options(const std::string& output, const std::string& point) {
  std::string found;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, place, options;
    for (int i = 0; i < 4; ++i) words >> word;
    if (words >> place >> options && place == point) found = options;
  }
  return found;
}

TEST_P(Container, ItsRootHasTheFlagsOfEveryMount) {
  if (GetParam() == RuntimeKind::runsc) GTEST_SKIP() << "it does not show the host's mounts";
  const Ended read_only = shell("cat /proc/self/mountinfo");
  EXPECT_THAT(mount_options(read_only.output, "/"), StartsWith("ro,nosuid,nodev"));
  options_.writable = true;
  const Ended writable = shell("echo x > /new && cat /proc/self/mountinfo");
  EXPECT_THAT(mount_options(writable.output, "/"), StartsWith("rw,nosuid,nodev"));
}

TEST_P(Container, SeesItsOwnLimits) {
  if (GetParam() == RuntimeKind::runsc) GTEST_SKIP() << "it has no limits";
  options_.limits.memory = 64 * 1024 * 1024;
  options_.limits.pids = 50;
  // Where both kinds of control groups or only the older are there, the limits are below "memory".
  const Ended ended = shell(
      "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes pids.max pids/pids.max; "
      "f=pids/cgroup.procs; test -e $f || f=cgroup.procs; echo 1 > $f || echo refused; "
      "cat /proc/self/mountinfo");
  EXPECT_THAT(ended.output, ContainsRegex("6710[0-9][0-9][0-9][0-9]\n"));
  EXPECT_THAT(ended.output, HasSubstr("\n50\n"));
  EXPECT_THAT(ended.output, HasSubstr("refused"));
}

TEST_P(Container, OthersThanRootHaveNothing) {
  image_.user = "web";
  const Ended ended = shell("cat /proc/self/status; id; suid-id -u; echo $HOME");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(ended.output, HasSubstr("CapPrm:\t0000000000000000"));
  EXPECT_THAT(ended.output, HasSubstr("uid=33(web) gid=34(web) groups=34(web),44(extra)"));
  EXPECT_THAT(ended.output, HasSubstr("\n33\n/srv")) << "the set-user-id bit must not count";
}

TEST_P(Container, WritableRootIsThrownAway) {
  options_.writable = true;
  const Ended ended =
      shell("echo x > /new && cat /new && mkdir /deep && touch /deep/er && echo ok");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("x\nok\n"));
  EXPECT_FALSE(fs::exists(root_directory() + "/new"));
}

TEST_P(Container, VolumesAreReadOnlyWhereAskedFor) {
  const auto outside = *TempDir::create();
  ASSERT_TRUE(write_file_durably(outside.path("file"), as_bytes("content\n"), 0644));
  options_.volumes = {{outside.path(), "/mnt/ro", true}, {outside.path(), "/mnt/rw", false}};
  const Ended ended = shell(
      "cat /mnt/ro/file; touch /mnt/ro/a 2>/dev/null && echo BAD; touch /mnt/rw/b && echo good");
  EXPECT_EQ(ended.output, "content\ngood\n");
  EXPECT_FALSE(fs::exists(outside.path("a")));
  EXPECT_TRUE(fs::exists(outside.path("b")));
}

TEST_P(Container, StdinOnlyWhenAsked) {
  EXPECT_EQ(run({"cat"}, "hello\n").output, "");
  options_.interactive = true;
  EXPECT_EQ(run({"cat"}, "hello\n").output, "hello\n");
}

// Root in a container may change the mode of what it has open.
TEST_P(Container, HasANullDeviceOfItsOwn) {
  if (GetParam() == RuntimeKind::runsc) return;  // has files of its own making only
  struct stat host;
  ASSERT_EQ(::stat("/dev/null", &host), 0);
  const UniqueFd null = *open_file("/dev/null", O_RDWR);
  const auto outside = *TempDir::create();
  fs::create_directories(fs::path(root_directory()) / "mnt/rw");
  options_.volumes = {{.source = outside.path(), .destination = "/mnt/rw"}};
  options_.command = {"sh", "-c",
                      "for fd in 0 1 2; do stat -L -c '%d %t:%T' /proc/$$/fd/$fd; done "
                      ">/mnt/rw/got; echo lost; cat; exit 7"};
  for (const bool interactive : {false, true}) {
    options_.interactive = interactive;
    EXPECT_EQ(exit_status_of(wait_for(start(null.get(), null.get()))), 7);
    std::istringstream lines(std::string(as_text(*read_file(outside.path("got"), 1000))));
    unsigned long long device = 0;
    std::string number;
    for (int fd = 0; fd < 3; ++fd) {
      ASSERT_TRUE(lines >> device >> number) << fd;
      // The redirection is the shell's own: its stdout is the file meanwhile.
      if (fd == 1) continue;
      // runc has pipes of its own instead.
      if (GetParam() == RuntimeKind::crun || number == "1:3") {
        EXPECT_EQ(number, "1:3") << fd;
        EXPECT_NE(device, host.st_dev) << fd;
      }
    }
  }
}

TEST_P(Container, EnvironmentIsTheImagesAndWhatWasNamed) {
  ::setenv("INTACT_TEST_SECRET", "hunter2", 1);
  ::setenv("INTACT_TEST_NAMED", "named", 1);
  image_.env = {"FROM_IMAGE=1"};
  options_.env = {"INTACT_TEST_NAMED", "GIVEN=2"};
  const Ended ended = shell("set");
  EXPECT_THAT(ended.output, HasSubstr("FROM_IMAGE='1'"));
  EXPECT_THAT(ended.output, HasSubstr("INTACT_TEST_NAMED='named'"));
  EXPECT_THAT(ended.output, HasSubstr("GIVEN='2'"));
  EXPECT_THAT(ended.output, Not(HasSubstr("hunter2")));
}

TEST_P(Container, SignalsArePassedOn) {
  const Running running =
      start_script("trap 'echo got; exit 33' TERM; echo up; while :; do sleep 0.05; done");
  ::kill(running.pid, SIGTERM);
  EXPECT_THAT(read_all(running.output.get()), HasSubstr("got"));
  EXPECT_EQ(exit_status_of(wait_for(running.pid)), 33);
}

TEST_P(Container, NothingIsLeftWhenTheCallerIsKilled) {
  const std::string before = mounts();
  const Running running = start_script("echo up; sleep 1000");
  ::kill(running.pid, SIGKILL);
  wait_for(running.pid);
  // All processes of the container have our pipe: it ends with the last of them.
  pollfd end = {running.output.get(), POLLIN, 0};
  read_all(running.output.get());
  EXPECT_EQ(::poll(&end, 1, 250'000), 1);
  EXPECT_EQ(mounts(), before);
}

TEST_P(Container, FailureOfTheServerIsTold) {
  options_.command = {"true"};
  const ContainerParts parts{
      .tree = std::make_shared<intact::run::testing::DirectoryTree>(root_directory()),
      .image = {.cmd = {"cat"}},
      .serve = [](auto, const auto&, bool, int) -> Result<void> {
        return Error(ErrorKind::tampered, "block 3 is not what was signed");
      },
      .warn = nullptr,
      .damaged = nullptr};
  options_.command.clear();
  const auto outcome = run_container(parts, options_);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(outcome.error().message(), HasSubstr("block 3"));
}

TEST_P(Container, NeverHasTheCallersTerminal) {
  for (const bool interactive : {false, true}) {
    options_.interactive = interactive;
    Session session = start_session(
        "for fd in 0 1 2; do test -t $fd && echo BAD terminal $fd; done; "
        "for fd in 1 2; do read -r x <&$fd && echo BAD read $fd; done 2>/dev/null; "
        "stty -echo <&1 2>/dev/null && echo BAD stty; sh -c 'cat < /dev/tty' 2>/dev/null && echo "
        "BAD tty; "
        "echo to out; echo to err >&2; read -r line && echo got $line; exit 5");
    ASSERT_TRUE(session.wait_for_text("to err")) << session.output;
    ASSERT_TRUE(session.wait_for_text("to out")) << session.output;
    ASSERT_TRUE(write_all(session.master.get(), as_bytes("typed\n")));
    EXPECT_EQ(session.end(), 5) << session.output;
    EXPECT_THAT(session.output, Not(HasSubstr("BAD")));
    if (interactive) {
      EXPECT_THAT(session.output, HasSubstr("got typed"));
    } else {
      EXPECT_THAT(session.output, Not(HasSubstr("got typed")));
    }
  }
}

TEST_P(Container, KeysForTheContainerAreSignals) {
  options_.interactive = true;
  Session session = start_session(
      "trap 'echo interrupted; exit 9' INT; echo up; "
      "while :; do sleep 0.05; done");
  ASSERT_TRUE(session.wait_for_text("up")) << session.output;
  ASSERT_TRUE(write_all(session.master.get(), as_bytes("\003")));
  EXPECT_EQ(session.end(), 9) << session.output;
}

TEST_P(Container, ItsOwnTerminalFollowsTheCallers) {
  options_.terminal = true;
  Session session = start_session(
      "test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; "
      "trap 'stty size; exit 4' WINCH; echo up; while :; do sleep 0.05; done");
  ASSERT_TRUE(session.wait_for_text("up")) << session.output;
  EXPECT_THAT(session.output, HasSubstr("terminal\r\n33 99\r\n"));
  if (GetParam() == RuntimeKind::runsc) {
    // Its kernel asks for the size when a program does, but tells programs nothing.
    ::kill(session.child, SIGKILL);
    session.end();
    return;
  }
  const winsize larger = {44, 111, 0, 0};
  ASSERT_EQ(::ioctl(session.master.get(), TIOCSWINSZ, &larger), 0);
  EXPECT_EQ(session.end(), 4) << session.output;
  EXPECT_THAT(session.output, HasSubstr("44 111"));
}

TEST_P(Container, ItsOwnTerminalTakesKeys) {
  options_.terminal = true;
  Session session = start_session("echo up; read -r line; echo got $line; exit 6");
  ASSERT_TRUE(session.wait_for_text("up")) << session.output;
  ASSERT_TRUE(write_all(session.master.get(), as_bytes("typed\r")));
  EXPECT_EQ(session.end(), 6) << session.output;
  EXPECT_THAT(session.output, HasSubstr("got typed"));
}

TEST_P(Container, AnInitPassesSignalsOn) {
  options_.init = true;
  if (GetParam() == RuntimeKind::runsc) {
    EXPECT_THAT(shell("exit 7").output, HasSubstr("--init: not available with runsc"));
    return;
  }
  EXPECT_EQ(shell("exit 7").status, 7);
  EXPECT_EQ(shell("test $$ != 1 && kill -9 $$").status, 137);
  // Without a handler, process 1 would ignore it.
  const Running running = start_script("echo up; exec sleep 1000");
  ::kill(running.pid, SIGTERM);
  read_all(running.output.get());
  EXPECT_EQ(exit_status_of(wait_for(running.pid)), 128 + SIGTERM);
}

TEST_P(Container, OutputFilesAreOnlyWrittenTo) {
  const auto outside = *TempDir::create();
  ASSERT_TRUE(write_file_durably(outside.path("log"), as_bytes("secret\n"), 0644));
  options_.command = {"sh", "-c", "cat <&1 2>/dev/null && echo BAD; echo more"};
  UniqueFd log = *open_file(outside.path("log"), O_RDWR | O_APPEND);
  const pid_t child = start(log.get(), STDIN_FILENO);
  EXPECT_EQ(exit_status_of(wait_for(child)), 0);
  EXPECT_EQ(as_text(*read_file(outside.path("log"), 1000)), "secret\nmore\n");
}

TEST_P(Container, WritablePlacesStartWithWhatTheImageHas) {
  const fs::path root = root_directory();
  make_mount_points();
  fs::create_directories(root / "run/app/deep");
  ::chmod((root / "run/app").c_str(), 0710);
  ASSERT_EQ(::chown((root / "run/app").c_str(), 33, 34), 0);
  std::ofstream(root / "run/app/deep/file") << "content\n";
  fs::create_symlink("file", root / "run/app/deep/link");
  image_.user = "web";
  image_.volumes = {"/run/app", "/new"};
  image_.working_dir = "/run/app";
  // The plain mount of these tests cannot add a place to mount on.
  fs::create_directories(root / "new");
  const Ended ended = shell(
      "cat deep/link; ls -ldn . ; touch mine && echo writable; touch deep/file "
      "2>/dev/null && echo BAD; touch /run/mine 2>/dev/null && echo BAD; pwd");
  fs::remove_all(root / "run/app");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("content\n"));
  // ls of the runsc in Debian 12 fails on any directory that is not root's.
  if (GetParam() != RuntimeKind::runsc) {
    EXPECT_THAT(ended.output, HasSubstr("drwx--x--- 3 33 34"));
  }
  EXPECT_THAT(ended.output, HasSubstr("writable\n/run/app"));
  EXPECT_THAT(ended.output, Not(HasSubstr("BAD")));
}

// An image must not take more memory at its start than it may have.
TEST_P(Container, CopiesOfTheImageHaveALimit) {
  const fs::path root = root_directory();
  make_mount_points();
  fs::create_directories(root / "run/app");
  std::ofstream(root / "run/app/data") << std::string(3 << 20, 'x');
  std::ofstream(root / "tmp/holes") << "start";
  fs::resize_file(root / "tmp/holes", std::uintmax_t{1} << 30);
  image_.volumes = {"/run/app"};
  fs::create_directories(root / "new");
  options_.tmpfs_size = 8 << 20;
  // Twice 3 MiB: in /run and in the volume.
  Ended ended =
      shell("cat /run/app/data >/run/app/copy 2>/dev/null || echo full; ls -s /tmp/holes");
  EXPECT_THAT(ended.output, HasSubstr("full"));
  // ls of the runsc in Debian 12 fails there.
  if (GetParam() != RuntimeKind::runsc) {
    EXPECT_THAT(ended.output, HasSubstr("4 /tmp/holes")) << "holes stay holes";
  }
  options_.tmpfs_size = 5 << 20;
  ended = shell("echo BAD");
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.output,
              HasSubstr("failed: /run/app: what the image has in writable places does "
                        "not fit into 5m; pass a larger --tmpfs-size, or put"));
  EXPECT_THAT(ended.output, Not(HasSubstr("BAD")));
  options_.tmpfs_size = kDefaultTmpfsSize;
  options_.tmpfs = {{.destination = "/run", .options = {"size=1048576"}}};
  image_.volumes = {};
  ended = shell("echo BAD");
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.output, HasSubstr("failed: --tmpfs /run: what the image has there does not fit "
                                      "into size=1048576; give it a larger size="));
  options_.tmpfs = {};
  if (GetParam() != RuntimeKind::runsc) {
    options_.limits.memory = 2 << 20;
    ended = shell("echo BAD");
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.output, HasSubstr("does not fit into 2m; pass a larger --memory, or put"));
    options_.limits.memory.reset();
  }
  EXPECT_EQ(shell("cat /run/app/data >/run/app/copy").status, 0);
  fs::remove_all(root / "run/app");
  fs::remove(root / "tmp/holes");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, Container,
                         ::testing::Values(RuntimeKind::crun, RuntimeKind::runc,
                                           RuntimeKind::runsc),
                         [](const auto& parameter) {
                           return std::string(to_string(parameter.param));
                         });

}  // namespace
}  // namespace intact::run
