#pragma once

// Test support: a block device that is mounted as a file while the object lives.

#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/block/device.h>
#include <intact/serve/fuse_server.h>

#include "mounted_tree.h"

namespace intact::serve::testing {

class MountedFile {
 public:
  explicit MountedFile(std::shared_ptr<block::Device> target, FuseOptions options = {})
      : dir_(make_public_dir()), path_(dir_.path("file")), watchdog_(path_) {
    EXPECT_TRUE(write_file_durably(path_, as_bytes("what was there"), 0600));
    options.mountpoint = path_;
    auto server = FuseServer::mount_file(target, options);
    if (!server) {
      ADD_FAILURE() << server.error().message();
      return;
    }
    server_ = std::move(*server);
    thread_ = std::thread([this] { EXPECT_TRUE(server_->serve()); });
  }
  ~MountedFile() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    server_->unmount();
    thread_.join();
  }
  const std::string& path() const { return path_; }

 private:
  TempDir dir_;
  std::string path_;
  Watchdog watchdog_;
  std::unique_ptr<FuseServer> server_;
  std::thread thread_;
};

}  // namespace intact::serve::testing
