#include "tree_pack.h"

#include <intact/fsverity/verified_file.h>

#include "test_images.h"

namespace intact::store {
namespace {

class PackTest : public testing::Test {
 protected:
  /// A pack of the trees of `contents`; returns its bytes.
  std::string write(const std::vector<std::string>& contents) {
    UniqueFd fd = must(open_file(file_, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    PackWriter writer(std::move(fd));
    std::vector<PackEntry> entries;
    for (const std::string& content : contents) {
      fsverity::TreeBuilder builder({}, true);
      builder.update(as_bytes(content));
      const fsverity::MerkleTree tree = builder.finish();
      const std::uint64_t offset = must(writer.append(tree.blocks));
      entries.push_back({tree.digest, content.size(), offset, tree.blocks.size()});
    }
    must(writer.finish(std::move(entries)));
    return std::string(as_text(must(read_file(file_, 1 << 28))));
  }
  Result<std::shared_ptr<const TreePack>> open() {
    return TreePack::open(must(open_file(file_, O_RDONLY)));
  }
  Result<std::shared_ptr<const TreePack>> open(const std::string& bytes) {
    must(write_file_durably(file_, as_bytes(bytes), 0644));
    return open();
  }

  TempDir dir_ = must(TempDir::create());
  std::string file_ = dir_.path("pack");
};

TEST_F(PackTest, FindsEveryTreeAndNoOther) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 50; ++i) contents.push_back(make_content(4097 + i * 5000, i));
  contents.push_back(std::string(140 << 20, 'x'));  // over the buffer
  write(contents);
  const auto pack = must(open());
  EXPECT_EQ(pack->entry_count(), contents.size());
  for (const std::string& content : contents) {
    const auto entry = must(pack->find(verity_digest(content)));
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->data_size, content.size());
    const auto tree = pack->tree(*entry);
    Bytes blocks(tree->size());
    must(tree->read(0, blocks));
    fsverity::TreeBuilder builder({}, true);
    builder.update(as_bytes(content));
    EXPECT_TRUE(equal(blocks, builder.finish().blocks));
    EXPECT_ERROR(malformed, tree->read(tree->size(), MutableByteSpan(blocks).first(1)));
  }
  EXPECT_FALSE(must(pack->find(verity_digest("none"))));
}

TEST_F(PackTest, MayBeEmpty) {
  write({});
  const auto pack = must(open());
  EXPECT_EQ(pack->entry_count(), 0u);
  EXPECT_FALSE(must(pack->find(verity_digest("x"))));
}

TEST_F(PackTest, RefusesEveryTruncation) {
  const std::string good = write({make_content(5000, 1), make_content(9000, 2)});
  ASSERT_TRUE(open(good));
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64},
                           good.size() - 64, good.size() - 1, good.size() + 1}) {
    std::string bad = good;
    bad.resize(size);
    EXPECT_FALSE(open(bad)) << size;
  }
}

TEST_F(PackTest, EveryBitOfHeaderAndTableIsBoundsChecked) {
  const std::string content = make_content(9000, 2);
  const std::string good = write({content});
  const std::size_t table = good.size() - 64;
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (i == 64) i = table;  // the tree itself is checked by its digest
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const UniqueFd fd = must(open_file(file_, O_WRONLY));
      must(pwrite_all(fd.get(), 0, as_bytes(bad)));
      const auto pack = open();
      if (!pack) continue;
      const auto entry = (*pack)->find(verity_digest(content));
      if (!entry || !*entry) continue;
      // Whatever is still found can be read without leaving the file.
      const auto tree = (*pack)->tree(**entry);
      Bytes blocks(tree->size());
      EXPECT_OK(tree->read(0, blocks));
    }
  }
}

TEST_F(PackTest, AbsurdCountsCostNothing) {
  std::string bad = write({make_content(9000, 2)});
  for (std::size_t i = 16; i < 24; ++i) bad[i] = '\xff';
  EXPECT_ERROR(malformed, open(bad));
}

}  // namespace
}  // namespace intact::store
