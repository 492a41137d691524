#pragma once

// Helpers of the tests that apply layers.

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <intact/oci/layer_applier.h>
#include <intact/oci/testing/test_tar.h>

namespace intact::oci::test {

/// Keeps all content in the tree.
class MemorySink final : public ContentSink {
 public:
  class MemoryFile final : public File {
   public:
    Result<void> write(ByteSpan bytes) override {
      content_ += as_text(bytes);
      return {};
    }
    Result<void> finish(const tree::InodePtr& inode) override {
      inode->content = content_;
      return {};
    }

   private:
    std::string content_;
  };
  Result<std::unique_ptr<File>> begin(std::uint64_t) override {
    return std::unique_ptr<File>(std::make_unique<MemoryFile>());
  }
  Result<void> wait() override { return {}; }
};

struct Applied {
  tree::Tree tree;
  std::vector<std::string> warnings;
};

inline Result<Applied> apply(const std::vector<Bytes>& layers, const LayerLimits& limits = {}) {
  Applied applied;
  MemorySink sink;
  LayerApplier applier(applied.tree, sink, limits);
  for (const Bytes& layer : layers) {
    MemoryStream stream(layer);
    TRY(applier.apply(stream));
  }
  TRY(applier.finish());
  applied.warnings = applier.warnings();
  return applied;
}

/// One line for each file: "/path TYPE[=content|->target]"; hard links share a number.
inline std::vector<std::string> outline(const tree::Tree& tree) {
  std::vector<std::string> lines;
  std::map<const tree::Inode*, int> links;
  (void)tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    std::string line = path;
    if (inode.attributes.is_directory()) line += path == "/" ? "" : "/";
    if (inode.attributes.is_regular()) line += "=" + inode.content;
    if (inode.attributes.is_symlink()) line += "->" + inode.payload;
    if (inode.attributes.is_device()) line += " device";
    if (S_ISFIFO(inode.attributes.mode)) line += " fifo";
    if (!inode.attributes.is_directory() && inode.attributes.nlink > 1) {
      const auto [link, first] = links.emplace(&inode, links.size() + 1);
      line += " #" + std::to_string(link->second) + (entry.hard_link ? "" : "*");
    }
    lines.push_back(line);
    return {};
  });
  return lines;
}

}  // namespace intact::oci::test
