// Mounting, unmounting, and what is left behind by servers that were killed.

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <intact/service/background.h>
#include <intact/service/server.h>

#include "mounted_tree.h"

namespace intact::serve {
namespace {

using namespace intact::serve::testing;
using ::testing::HasSubstr;

std::shared_ptr<MemoryFileTree> small_tree() {
  tree::Tree tree;
  add_file(tree, "file", "content");
  add_file(tree, "private", "of uid 0", 0600);
  add(tree, "root", S_IFDIR | 0700);
  add_file(tree, "root/file", "of uid 0");
  return finish(std::move(tree));
}

bool is_mounted(const std::string& path) {
  const auto entry = find_mount(path);
  return entry && *entry;
}

bool is_dead(const std::string& path) {
  const auto entry = find_mount(path);
  return entry && *entry && is_dead_mount(**entry);
}

/// A server in a process of its own.
class ServerProcess {
 public:
  explicit ServerProcess(const std::string& mountpoint, bool with_reader = true) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ready_.reset(ends[0]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::alarm(kWatchdogSeconds);
      std::signal(SIGPIPE, SIG_IGN);
      ready_.reset();
      if (!with_reader) ::usleep(50000);  // until the parent has closed its end, too
      FuseOptions options;
      options.mountpoint = mountpoint;
      options.ready_fd = ends[1];
      auto server = FuseServer::mount(small_tree(), options);
      if (!server) ::_exit(1);
      service::Server own({});
      bool served = false;
      if (const auto waiting = own.end_on_request([&] { (*server)->stop(); }); waiting)
        served = static_cast<bool>((*server)->serve());
      ::_exit(served ? 0 : 2);
    }
    ::close(ends[1]);
    if (!with_reader) ready_.reset();
  }
  ~ServerProcess() {
    if (pid_ > 0) kill(SIGKILL);
  }

  bool ready() {
    char byte = 0;
    return ::read(ready_.get(), &byte, 1) == 1 && byte == service::kReady;
  }
  int kill(int signal) {
    ::kill(pid_, signal);
    return wait();
  }
  int wait() {
    int status = -1;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  UniqueFd ready_;
  pid_t pid_ = -1;
};

TEST(FuseLifetime, AKilledServersMountIsFoundAndCleared) {
  REQUIRE_FUSE();
  const TempDir dir = make_public_dir();
  const std::string path = dir.path("mnt");
  const Watchdog watchdog(path);
  {
    ServerProcess server(path);
    ASSERT_TRUE(server.ready());
    EXPECT_FALSE(is_dead(path));
    const auto cleared = clear_dead_mount(path);
    ASSERT_TRUE(cleared);
    EXPECT_FALSE(*cleared);
    EXPECT_EQ(as_text(read_file(path + "/file", 100).value()), "content");
    server.kill(SIGKILL);
  }
  EXPECT_TRUE(is_dead(path));
  const auto cleared = clear_dead_mount(path);
  ASSERT_TRUE(cleared) << cleared.error().message();
  EXPECT_TRUE(*cleared);
  EXPECT_FALSE(is_mounted(path));
  const auto again = clear_dead_mount(path);
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
}

TEST(FuseLifetime, ASignalEndsTheServerAndTheMountEvenInUse) {
  REQUIRE_FUSE();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    const TempDir dir = make_public_dir();
    const std::string path = dir.path("mnt");
    const Watchdog watchdog(path);
    ServerProcess server(path);
    ASSERT_TRUE(server.ready());
    const auto in_use = open_file(path + "/file", O_RDONLY);
    ASSERT_TRUE(in_use);
    const int status = server.kill(signal);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_FALSE(is_mounted(path));
  }
}

// Between the mount and what ends its server in order there must be no moment in which a signal
// leaves a mount without a server.
TEST(FuseLifetime, ASignalBeforeServingLeavesNoMount) {
  REQUIRE_FUSE();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    for (const bool gets_so_far : {true, false}) {
      const TempDir dir = make_public_dir();
      const std::string path = dir.path("mnt");
      const Watchdog watchdog(path);
      const int status = in_child([&] {
        FuseOptions options;
        options.mountpoint = path;
        auto server = FuseServer::mount(small_tree(), options);
        if (!server || !is_mounted(path)) return 1;
        ::kill(::getpid(), signal);
        if (!gets_so_far) {  // an error ends it before it is served
          server->reset();
          return 2;
        }
        service::Server own({});
        const auto waiting = own.end_on_request([&] { (*server)->stop(); });
        return waiting && (*server)->serve() ? 0 : 3;
      });
      const bool as_expected = gets_so_far ? WIFEXITED(status) && WEXITSTATUS(status) == 0
                                           : WIFSIGNALED(status) && WTERMSIG(status) == signal;
      EXPECT_TRUE(as_expected) << status;
      EXPECT_FALSE(is_mounted(path)) << signal;
    }
  }
}

TEST(FuseLifetime, SignalsAreHeldNoLongerThanTheMount) {
  REQUIRE_FUSE();
  const auto is_held = [](int signal) {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return ::sigismember(&mask, signal) == 1;
  };
  const TempDir dir = make_public_dir();
  FuseOptions options;
  options.mountpoint = dir.path("missing");
  EXPECT_FALSE(FuseServer::mount(small_tree(), options));
  EXPECT_FALSE(is_held(SIGTERM));
  options.mountpoint = dir.path("mnt");
  const auto before = std::signal(SIGHUP, SIG_IGN);
  {
    const auto server = FuseServer::mount(small_tree(), options);
    ASSERT_TRUE(server) << server.error().message();
    EXPECT_TRUE(is_held(SIGTERM));
    EXPECT_FALSE(is_held(SIGHUP));  // is ignored, and stays so
  }
  std::signal(SIGHUP, before);
  EXPECT_FALSE(is_held(SIGTERM));
}

TEST(FuseLifetime, AServerThatNobodyAwaitsEnds) {
  REQUIRE_FUSE();
  const TempDir dir = make_public_dir();
  const std::string path = dir.path("mnt");
  const Watchdog watchdog(path);
  ServerProcess server(path, false);
  const int status = server.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_FALSE(is_mounted(path));
}

TEST(FuseLifetime, UnmountRefusesABusyMountAndEndsTheServer) {
  REQUIRE_FUSE();
  MountedTree mounted(small_tree());
  {
    const auto in_use = open_file(mounted.path("file"), O_RDONLY);
    ASSERT_TRUE(in_use);
    const auto refused = unmount(mounted.mountpoint());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::busy);
    EXPECT_TRUE(is_mounted(mounted.mountpoint()));
  }
  const auto done = unmount(mounted.mountpoint());
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_TRUE(mounted.wait());
  EXPECT_FALSE(is_mounted(mounted.mountpoint()));
}

TEST(FuseLifetime, ALazyUnmountServesOpenFilesToTheirEnd) {
  REQUIRE_FUSE();
  MountedTree mounted(small_tree());
  {
    const auto in_use = open_file(mounted.path("file"), O_RDONLY);
    ASSERT_TRUE(in_use);
    ASSERT_TRUE(unmount(mounted.mountpoint(), true));
    EXPECT_FALSE(is_mounted(mounted.mountpoint()));
    EXPECT_EQ(as_text(read_fd(in_use->get(), 100).value()), "content");
  }
  EXPECT_TRUE(mounted.wait());
}

TEST(FuseLifetime, UnmountOfSomethingElseIsNotFound) {
  const TempDir dir = make_public_dir();
  for (const std::string& path : {dir.path("mnt"), dir.path("missing"), std::string("/proc")}) {
    const auto result = unmount(path);
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().kind(), ErrorKind::not_found) << path;
  }
}

TEST(FuseLifetime, MountpointsThatCannotBeAreRefused) {
  REQUIRE_FUSE();
  const TempDir dir = make_public_dir();
  FuseOptions options;
  options.mountpoint = dir.path("missing");
  const auto missing = FuseServer::mount(small_tree(), options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
  ASSERT_TRUE(write_file_durably(dir.path("file"), as_bytes("x"), 0644));
  options.mountpoint = dir.path("file");
  const auto file = FuseServer::mount(small_tree(), options);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind(), ErrorKind::invalid_argument);
}

TEST(FuseLifetime, AMountThatIsNeverServedGoesAway) {
  REQUIRE_FUSE();
  const TempDir dir = make_public_dir();
  FuseOptions options;
  options.mountpoint = dir.path("mnt");
  {
    const auto server = FuseServer::mount(small_tree(), options);
    ASSERT_TRUE(server) << server.error().message();
    EXPECT_TRUE(is_mounted(options.mountpoint));
  }
  EXPECT_FALSE(is_mounted(options.mountpoint));
}

/// What an ordinary user sees of a private mount of his own; 0 if all is well.
int check_mount_of_a_user(const std::string& path) {
  FuseOptions options;
  options.mountpoint = path;
  auto server = FuseServer::mount(small_tree(), options);
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message());
    return 2;
  }
  Result<void> served;
  std::thread thread([&] { served = (*server)->serve(); });
  int failed = 0;
  for (const char* name : {"/file", "/private", "/root/file"}) {
    if (const auto content = read_file(path + name, 100); !content) {
      fmt::print(stderr, "{}\n", content.error().message());
      failed = 3;
    }
  }
  if (::open((path + "/file").c_str(), O_WRONLY) >= 0 || errno != EROFS) failed = 4;
  if (const auto done = unmount(path); !done) {
    fmt::print(stderr, "{}\n", done.error().message());
    (*server)->unmount();
    failed = 5;
  }
  thread.join();
  return failed != 0 || !served ? std::max(failed, 1) : 0;
}

/// In a child process of root: becomes an ordinary user who may open /dev/fuse, as users may on
/// any desktop or server but not in every container, and owns `directory`.
bool become_user(uid_t user, const std::string& directory) {
  const std::string devices = directory + ".dev";
  return ::chown(directory.c_str(), user, user) == 0 && ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mkdir(devices.c_str(), 0755) == 0 &&
         ::mount("none", devices.c_str(), "tmpfs", 0, nullptr) == 0 &&
         ::mknod((devices + "/fuse").c_str(), S_IFCHR | 0666, makedev(10, 229)) == 0 &&
         ::chmod((devices + "/fuse").c_str(), 0666) == 0 &&
         ::mount((devices + "/fuse").c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr) == 0 &&
         ::setgroups(0, nullptr) == 0 && ::setgid(user) == 0 && ::setuid(user) == 0;
}

TEST(FuseLifetime, AnOrdinaryUserReadsAllOfAPrivateMount) {
  REQUIRE_FUSE();
  if (::access("/usr/bin/fusermount3", X_OK) != 0) GTEST_SKIP() << "fusermount3 is not installed";
  const TempDir dir = make_public_dir();
  const std::string path = dir.path("mnt");
  const Watchdog watchdog(path);
  if (::geteuid() != 0) {
    EXPECT_EQ(check_mount_of_a_user(path), 0);
    return;
  }
  const passwd* nobody = ::getpwnam("nobody");
  if (nobody == nullptr) GTEST_SKIP() << "there is no user \"nobody\"";
  const int status = in_child(
      [&] { return become_user(nobody->pw_uid, path) ? check_mount_of_a_user(path) : 100; });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(FuseLifetime, AUserWithoutPasswdEntryIsToldSo) {
  REQUIRE_FUSE();
  if (::access("/usr/bin/fusermount3", X_OK) != 0) GTEST_SKIP() << "fusermount3 is not installed";
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  constexpr uid_t kStranger = 3999999999;
  if (::getpwuid(kStranger) != nullptr) GTEST_SKIP() << "uid 3999999999 exists here";
  const TempDir dir = make_public_dir();
  const int status = in_child([&] {
    if (!become_user(kStranger, dir.path("mnt"))) return 100;
    FuseOptions options;
    options.mountpoint = dir.path("mnt");
    const auto server = FuseServer::mount(small_tree(), options);
    if (server) return 1;
    return server.error().kind() == ErrorKind::unsupported &&
                   server.error().message().find("passwd") != std::string::npos
               ? 0
               : 2;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(FuseLifetime, AUserWhoMayNotOpenTheDeviceIsToldSo) {
  REQUIRE_FUSE();
  if (::access("/usr/bin/fusermount3", X_OK) != 0) GTEST_SKIP() << "fusermount3 is not installed";
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const passwd* nobody = ::getpwnam("nobody");
  if (nobody == nullptr) GTEST_SKIP() << "there is no user \"nobody\"";
  const TempDir dir = make_public_dir();
  const int status = in_child([&] {
    const std::string& path = dir.path("mnt");
    if (!become_user(0, path) || ::chmod("/dev/fuse", 0600) != 0 ||
        ::chown(path.c_str(), nobody->pw_uid, nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)
      return 100;
    FuseOptions options;
    options.mountpoint = path;
    const auto server = FuseServer::mount(small_tree(), options);
    return !server && server.error().kind() == ErrorKind::unsupported ? 0 : 1;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace intact::serve
