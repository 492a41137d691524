#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <intact/fsverity/tree.h>
#include <intact/fsverity/verified_file.h>

#include "test_content.h"

namespace intact::fsverity {
namespace {

constexpr std::size_t kBlock = 4096;

struct Sample {
  explicit Sample(std::size_t size)
      : content(pattern(size)), file(content), tree(build_tree(file.fd()).value()) {}

  std::unique_ptr<VerifiedMemory> open() {
    auto verified = VerifiedFile::open(file.open(), content.size(), tree.digest,
                                       std::make_shared<MemorySource>(tree.blocks));
    return VerifiedMemory::open(std::move(verified).value()).value();
  }
  ByteSpan part(std::size_t offset, std::size_t length) const {
    return ByteSpan(content).subspan(offset, length);
  }

  Bytes content;
  ContentFile file;
  MerkleTree tree;
};

TEST(VerifiedMemory, ViewsAndReadsGiveTheContent) {
  for (const std::size_t size :
       {std::size_t{1}, kBlock, 15 * kBlock + 1, 64 * kBlock, 200 * kBlock + 5}) {
    Sample sample(size);
    const auto memory = sample.open();
    EXPECT_EQ(memory->size(), size);
    for (std::size_t offset = 0; offset < size; offset += 1 + size / 13)
      for (const std::size_t length : {std::size_t{1}, std::size_t{5000}, size - offset}) {
        const std::size_t n = std::min(length, size - offset);
        EXPECT_TRUE(equal(memory->view(offset, n).value(), sample.part(offset, n)));
        Bytes copy(n);
        ASSERT_TRUE(memory->read(offset, copy));
        EXPECT_TRUE(equal(copy, sample.part(offset, n)));
      }
  }
}

TEST(VerifiedMemory, EmptyFile) {
  Sample sample(0);
  const auto memory = sample.open();
  EXPECT_EQ(memory->view(0, 0).value().size(), 0u);
  EXPECT_EQ(memory->view(0, 1).error().kind(), ErrorKind::malformed);
}

TEST(VerifiedMemory, RangesBeyondTheEndAreMalformed) {
  Sample sample(5000);
  const auto memory = sample.open();
  EXPECT_TRUE(memory->view(4999, 1));
  EXPECT_EQ(memory->view(4999, 2).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(memory->view(UINT64_MAX, 1).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(memory->view(1, SIZE_MAX).error().kind(), ErrorKind::malformed);
}

TEST(VerifiedMemory, WhatWasReadOnceIsNotReadAgain) {
  Sample sample(40 * kBlock);
  const auto memory = sample.open();
  const ByteSpan before = memory->view(kBlock, 100).value();
  sample.file.flip(kBlock + 7);
  sample.file.resize(10);
  const ByteSpan after = memory->view(kBlock, 100).value();
  EXPECT_EQ(before.data(), after.data());
  EXPECT_TRUE(equal(after, sample.part(kBlock, 100)));
}

TEST(VerifiedMemory, ABadBlockIsRefusedUntilItIsGoodAndSpoilsNoOther) {
  Sample sample(40 * kBlock);
  const auto memory = sample.open();
  sample.file.flip(5 * kBlock + 7);
  EXPECT_EQ(memory->view(5 * kBlock, 1).error().kind(), ErrorKind::tampered);
  EXPECT_EQ(memory->view(0, 40 * kBlock).error().kind(), ErrorKind::tampered);
  for (std::size_t block = 0; block < 40; ++block) {
    if (block == 5) continue;
    const auto view = memory->view(block * kBlock, kBlock);
    ASSERT_TRUE(view) << block;
    EXPECT_TRUE(equal(*view, sample.part(block * kBlock, kBlock))) << block;
  }
  sample.file.flip(5 * kBlock + 7);
  EXPECT_TRUE(equal(memory->view(0, 40 * kBlock).value(), sample.content));
}

TEST(VerifiedMemory, ManyReadersAtOnce) {
  Sample sample(300 * kBlock + 9);
  const auto memory = sample.open();
  sample.file.flip(77 * kBlock);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 300; ++i) {
        const std::size_t block = (i * 41 + t * 3) % 300;
        const auto view = memory->view(block * kBlock, kBlock);
        EXPECT_EQ(view.has_value(), block != 77);
        if (view) {
          EXPECT_TRUE(equal(*view, sample.part(block * kBlock, kBlock)));
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace intact::fsverity
