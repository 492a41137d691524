#pragma once

// Test support: a tree that is mounted while the object lives, and a watchdog that takes the mount
// away when a test hangs.

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>

#include "memory_file_tree.h"

namespace intact::serve::testing {

constexpr unsigned kWatchdogSeconds = 60;

/// Why no FUSE mount can be made here; empty if one can.
inline std::string why_no_fuse() {
  if (::access("/dev/fuse", F_OK) != 0) return "there is no /dev/fuse";
  if (::geteuid() == 0) return {};
  if (::access("/usr/bin/fusermount3", X_OK) != 0) return "fusermount3 is not installed";
  if (::access("/dev/fuse", R_OK | W_OK) != 0) return "users may not open /dev/fuse";
  return {};
}

#define REQUIRE_FUSE() \
  if (const std::string why = why_no_fuse(); !why.empty()) GTEST_SKIP() << why

/// Ends the process after a while. Unmounts first, since a process that waits for the mount cannot
/// be killed otherwise.
class Watchdog {
 public:
  explicit Watchdog(const std::string& mountpoint) {
    path_ = mountpoint;
    std::signal(SIGALRM, bark);
    ::alarm(kWatchdogSeconds);
  }
  ~Watchdog() { ::alarm(0); }

 private:
  static void bark(int) {
    constexpr std::string_view kText = "watchdog: the test hangs; unmounting\n";
    (void)!::write(2, kText.data(), kText.size());
    if (::umount2(path_.c_str(), MNT_DETACH) != 0 && ::fork() == 0)
      ::execlp("fusermount3", "fusermount3", "-u", "-z", "--", path_.c_str(), nullptr);
    ::_exit(99);
  }
  inline static std::string path_;
};

/// A fresh directory that everybody may enter, where mounts are made.
inline TempDir make_public_dir() {
  auto dir = TempDir::create();
  if (!dir) ADD_FAILURE() << dir.error().message();
  ::chmod(dir->path().c_str(), 0755);
  ::mkdir(dir->path("mnt").c_str(), 0755);
  return std::move(*dir);
}

class MountedTree {
 public:
  explicit MountedTree(std::shared_ptr<const tree::FileTree> tree, FuseOptions options = {})
      : dir_(make_public_dir()), path_(dir_.path("mnt")), watchdog_(path_) {
    options.mountpoint = path_;
    auto server = FuseServer::mount(std::move(tree), options);
    if (!server) {
      ADD_FAILURE() << server.error().message();
      return;
    }
    server_ = std::move(*server);
    thread_ = std::thread([this] { result_ = server_->serve(); });
  }
  ~MountedTree() { (void)stop(); }

  std::string path(std::string_view name = "") const { return path_ + "/" + std::string(name); }
  const std::string& mountpoint() const { return path_; }
  FuseServer* server() { return server_.get(); }

  /// Unmounts and waits; what serve() returned.
  Result<void> stop() {
    if (thread_.joinable()) {
      server_->unmount();
      thread_.join();
    }
    return std::move(result_);
  }
  /// Waits for an end that was caused elsewhere.
  Result<void> wait() {
    thread_.join();
    return std::move(result_);
  }

 private:
  TempDir dir_;
  std::string path_;
  Watchdog watchdog_;
  std::unique_ptr<FuseServer> server_;
  std::thread thread_;
  Result<void> result_;
};

/// Runs `body` in a process of its own and returns its wait status. Only before threads exist may
/// the body do more than system calls.
template <typename Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kWatchdogSeconds);
    ::_exit(body());
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

inline tree::InodePtr add(tree::Tree& tree, const std::string& path, std::uint32_t mode,
                          std::uint64_t size = 0) {
  const std::size_t slash = path.rfind('/');
  tree::InodePtr parent = tree.find(slash == std::string::npos ? "" : path.substr(0, slash));
  auto inode = std::make_shared<tree::Inode>();
  inode->attributes.mode = mode;
  inode->attributes.size = size;
  parent->entries[path.substr(slash == std::string::npos ? 0 : slash + 1)] = {inode};
  return inode;
}

inline tree::InodePtr add_file(tree::Tree& tree, const std::string& path,
                               const std::string& content, std::uint32_t permissions = 0644) {
  auto inode = add(tree, path, S_IFREG | permissions, content.size());
  inode->content = content;
  return inode;
}

inline std::shared_ptr<MemoryFileTree> finish(tree::Tree tree) {
  tree.normalize_links();
  return std::make_shared<MemoryFileTree>(std::move(tree));
}

}  // namespace intact::serve::testing
