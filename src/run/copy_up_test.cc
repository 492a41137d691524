#include "copy_up.h"

#include <cerrno>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/run/bundle.h>
#include <intact/run/options.h>

namespace intact::run {
namespace {

using tree::NodeId;

/// A directory of very many files that exist only as far as they are asked for.
class ManyFiles final : public tree::FileTree {
 public:
  struct Options {
    std::uint64_t files = 1;
    std::size_t list_size = 0;  ///< bytes of an access control list of each file
    std::uint32_t type = S_IFREG;
    std::uint32_t links = 1;
    std::uint64_t one_node_for = 1;  ///< as many names share one inode
  };
  explicit ManyFiles(Options options) : options_(options) {}

  NodeId root() const override { return NodeId{0}; }
  Result<tree::Attributes> attributes(NodeId node) const override {
    ++asked;
    tree::Attributes out;
    out.mode = node == root() ? S_IFDIR | 0755 : options_.type | 0644;
    out.nlink = node == root() ? 2 : options_.links;
    out.uid = ::geteuid();
    out.gid = ::getegid();
    return out;
  }
  Result<NodeId> lookup(NodeId, std::string_view) const override {
    return Error(ErrorKind::not_found, "no such file");
  }
  Result<NodeId> parent(NodeId) const override { return root(); }
  Result<void> list(
      NodeId, std::uint64_t cookie,
      const std::function<bool(const tree::DirectoryEntry&, std::uint64_t)>& emit) const override {
    for (std::uint64_t i = cookie; i < options_.files; ++i) {
      ++listed;
      const std::string name = std::to_string(i) + std::string(80, 'n');
      const NodeId node{1 + i / options_.one_node_for};
      if (!emit({name, node, options_.type}, i + 1)) break;
    }
    return {};
  }
  Result<std::string> read_link(NodeId) const override { return std::string(200, 't'); }
  Result<std::vector<std::string>> list_xattrs(NodeId) const override {
    if (options_.list_size == 0) return std::vector<std::string>();
    return std::vector<std::string>{"system.posix_acl_access"};
  }
  Result<std::string> get_xattr(NodeId, std::string_view) const override {
    // Not one that a kernel accepts; what the kernel refuses is left out.
    return std::string(options_.list_size, '\xff');
  }
  Result<std::shared_ptr<tree::OpenFile>> open(NodeId) const override {
    return std::shared_ptr<tree::OpenFile>(std::make_shared<Empty>());
  }
  tree::Statistics statistics() const override { return {}; }

  mutable std::uint64_t asked = 0, listed = 0;

 private:
  class Empty final : public tree::OpenFile {
    Result<std::size_t> read(std::uint64_t, MutableByteSpan) override { return std::size_t{0}; }
  };
  Options options_;
};

class CopyUp : public testing::Test {
 protected:
  Result<void> copy(const tree::FileTree& tree, CopyBudget budget) {
    const Result<void> copied = copy_up(tree, tree.root(), dir_.path(), budget);
    over_memory_ = budget.is_over_memory();
    return copied;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(dir_.path()), {}));
  }
  static bool is_full(const Result<void>& copied) {
    return !copied && copied.error().sys_errno() == ENOSPC;
  }

  TempDir dir_ = *TempDir::create();
  MemoryUse memory_;
  bool over_memory_ = false;
};

// A tmpfs counts them nowhere.
TEST_F(CopyUp, ListsCountTowardsTheSize) {
  const ManyFiles tree({.files = 50, .list_size = 32 * 1024 - 100});
  EXPECT_TRUE(is_full(copy(tree, {memory_, 50 * 32 * 1024 - 1, 1000})));
  EXPECT_FALSE(over_memory_);
  EXPECT_EQ(memory_.used, 49 * 32 * 1024 + 50 * CopyBudget::kInodeCost);
}

TEST_F(CopyUp, ListsThatFitAreCopied) {
  const ManyFiles tree({.files = 50, .list_size = 32 * 1024 - 100});
  EXPECT_TRUE(copy(tree, {memory_, 50 * 32 * 1024, 1000}));
  EXPECT_EQ(files(), 50);
  EXPECT_EQ(memory_.used, 50 * (32 * 1024 + CopyBudget::kInodeCost));
}

TEST_F(CopyUp, AllCopiesTogetherHaveAMemory) {
  const ManyFiles tree({.files = 50, .list_size = 32 * 1024 - 100});
  memory_.limit = 60 * 32 * 1024;
  memory_.used = 10 * 32 * 1024;
  EXPECT_TRUE(is_full(copy(tree, {memory_, UINT64_MAX, UINT64_MAX})));
  EXPECT_TRUE(over_memory_);
  EXPECT_LE(memory_.used, memory_.limit);
}

TEST_F(CopyUp, LongLinksTakeAPage) {
  const ManyFiles tree({.files = 10, .type = S_IFLNK});
  EXPECT_TRUE(is_full(copy(tree, {memory_, 10 * 4096 - 1, 1000})));
}

TEST_F(CopyUp, ReadsNoMoreNamesThanMayBeCopied) {
  const ManyFiles tree({.files = 3'000'000'000});
  EXPECT_TRUE(is_full(copy(tree, {memory_, 1 << 20, 1024})));
  EXPECT_EQ(files(), 1024);
  EXPECT_LE(tree.listed, 1200);
  EXPECT_LE(tree.asked, 1200);
}

TEST_F(CopyUp, CopiesDirectoriesOfManyPieces) {
  const ManyFiles tree({.files = 1000});
  EXPECT_TRUE(copy(tree, {memory_, 1 << 20, 1000}));
  EXPECT_EQ(files(), 1000);
}

TEST_F(CopyUp, KeepsHardLinks) {
  const ManyFiles tree({.files = 300, .links = 3, .one_node_for = 3});
  EXPECT_TRUE(copy(tree, {memory_, 1 << 20, 300}));
  EXPECT_EQ(files(), 300);
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path()))
    EXPECT_EQ(std::filesystem::hard_link_count(entry), 3) << entry;
}

TEST_F(CopyUp, FurtherNamesCountAsFiles) {
  const ManyFiles tree({.files = 300, .links = 300, .one_node_for = 300});
  EXPECT_TRUE(is_full(copy(tree, {memory_, 1 << 20, 299})));
  EXPECT_EQ(files(), 299);
}

TEST(FindLargeCopies, StopsWhereThereAreTooManyFiles) {
  Bundle bundle;
  bundle.tmpfs_size = 1 << 20;
  bundle.mounts.push_back({.destination = "/", .copy_up = true, .shared_tmpfs = true});
  const ManyFiles many({.files = 3'000'000'000, .links = 2});
  const auto warnings = find_large_copies(many, bundle);
  ASSERT_TRUE(warnings) << warnings.error().message();
  EXPECT_THAT(*warnings, testing::ElementsAre(testing::HasSubstr(
                             "/: the image has more than 1023 files there, more than its tmpfs of "
                             "1m takes; raise size= and nr_inodes=")));
  EXPECT_LE(many.listed, 1200);

  const auto fitting = find_large_copies(ManyFiles({.files = 1023}), bundle);
  ASSERT_TRUE(fitting);
  EXPECT_THAT(*fitting, testing::IsEmpty());
}

}  // namespace
}  // namespace intact::run
