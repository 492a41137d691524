#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>
#include <intact/fsverity/verified_file.h>

#include "salt.h"
#include "test_content.h"

namespace intact::fsverity {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

constexpr std::size_t kBlock = 1024;  // 32 hashes in a block: several levels in small files
const Params kParams{.block_size = kBlock};
const VerifiedFile::Layout kLayout{.block_size = kBlock};

auto in_block(std::uint64_t block) {
  return Field(&Damage::range, Optional(Field(&DamagedRange::first, block)));
}

auto damage(std::uint64_t block, const std::string& reason) {
  return AllOf(in_block(block),
               Field(&Damage::range, Optional(Field(&DamagedRange::offset, block * kBlock))),
               Field(&Damage::reason, HasSubstr(reason)));
}

/// A file, its tree and digest, and what the sink was told.
struct Sample {
  explicit Sample(std::size_t size) : content(pattern(size)), file(content) {
    TreeBuilder builder(kParams, true);
    builder.update(content);
    tree = builder.finish();
  }

  Result<std::unique_ptr<VerifiedFile>> open(std::shared_ptr<const ByteSource> stored) {
    return VerifiedFile::open(
        file.open(), content.size(), tree.digest, std::move(stored),
        [this](const Damage& one) { told.push_back(one); }, kLayout);
  }
  Result<std::unique_ptr<VerifiedFile>> open() {
    return open(std::make_shared<MemorySource>(tree.blocks));
  }

  Bytes content;
  ContentFile file;
  MerkleTree tree;
  std::vector<Damage> told;
};

Result<Bytes> read(const ByteSource& source, std::uint64_t offset, std::size_t length) {
  Bytes out(length, std::byte{0xAA});
  auto done = source.read(offset, out);
  if (done) return out;
  // All or nothing.
  EXPECT_TRUE(std::ranges::all_of(out, [](std::byte b) { return b == std::byte{0}; }))
      << "bytes of a failed read were left in the buffer";
  return std::move(done).error();
}

void expect_tampered(const Result<Bytes>& result) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::tampered) << result.error().message();
}

TEST(VerifiedFile, ReadsAnyRange) {
  for (const std::size_t size : {std::size_t{1}, kBlock - 1, kBlock, kBlock + 1, 32 * kBlock,
                                 32 * kBlock + 1, 70 * kBlock + 77, 1100 * kBlock + 1}) {
    SCOPED_TRACE(size);
    Sample sample(size);
    for (const bool with_tree : {true, false}) {
      const auto file =
          (with_tree ? sample.open() : sample.open(std::shared_ptr<const ByteSource>())).value();
      EXPECT_EQ(file->size(), size);
      EXPECT_EQ(read(*file, 0, size).value(), sample.content);
      for (std::size_t offset = 0; offset < size; offset += 1 + size / 37)
        for (const std::size_t length : {std::size_t{1}, std::size_t{100}, kBlock, 3 * kBlock + 5,
                                         70 * kBlock, size - offset}) {
          const std::size_t n = std::min(length, size - offset);
          ASSERT_TRUE(
              equal(read(*file, offset, n).value(), ByteSpan(sample.content).subspan(offset, n)))
              << offset << "+" << n;
        }
      EXPECT_THAT(file->scan().value(), IsEmpty());
      EXPECT_EQ(file->refused_hash_blocks(), 0u);
    }
    EXPECT_THAT(sample.told, IsEmpty());
  }
}

TEST(VerifiedFile, DefaultLayoutAndBothAlgorithms) {
  for (const auto algorithm : {HashAlgorithm::sha256, HashAlgorithm::sha512}) {
    const Bytes content = pattern(300'000);
    const ContentFile file(content);
    const MerkleTree tree = build_tree(file.fd(), {.algorithm = algorithm}).value();
    const auto verified = VerifiedFile::open(file.open(), content.size(), tree.digest,
                                             std::make_shared<MemorySource>(tree.blocks))
                              .value();
    EXPECT_EQ(read(*verified, 0, content.size()).value(), content);
  }
}

TEST(VerifiedFile, RangesBeyondTheEndAreMalformed) {
  Sample sample(5000);
  const auto file = sample.open().value();
  EXPECT_TRUE(read(*file, 4999, 1));
  EXPECT_TRUE(read(*file, 5000, 0));
  for (const auto& [offset, length] : {std::pair<std::uint64_t, std::size_t>{5000, 1},
                                       {4999, 2},
                                       {0, 5001},
                                       {UINT64_MAX, 1},
                                       {UINT64_MAX, 0}}) {
    Bytes out(length);
    const auto done = file->read(offset, out);
    ASSERT_FALSE(done) << offset;
    EXPECT_EQ(done.error().kind(), ErrorKind::malformed);
  }
}

TEST(VerifiedFile, EmptyFile) {
  Sample sample(0);
  const auto file = sample.open(nullptr).value();
  EXPECT_EQ(file->size(), 0u);
  EXPECT_TRUE(read(*file, 0, 0));
  EXPECT_THAT(file->scan().value(), IsEmpty());
  sample.tree.digest = digest_of(as_bytes("x"), kParams);
  const auto refused = sample.open(nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(sample.told, ElementsAre(damage(0, "empty")));
}

TEST(VerifiedFile, EveryFlippedBitOfTheDataIsRefusedByTheReadThatMeetsIt) {
  Sample sample(kBlock + 100);
  const auto file = sample.open().value();
  for (std::size_t bit = 0; bit < sample.content.size() * 8; ++bit) {
    const bool in_second = bit / 8 >= kBlock;
    sample.file.flip(bit / 8, bit % 8);
    // One byte of a block is enough to meet all of it.
    ASSERT_EQ(read(*file, 0, 1).has_value(), in_second) << bit;
    ASSERT_EQ(read(*file, kBlock, 1).has_value(), !in_second) << bit;
    sample.file.flip(bit / 8, bit % 8);
  }
  EXPECT_EQ(read(*file, 0, sample.content.size()).value(), sample.content);
  EXPECT_EQ(sample.told.size(), 2u) << "the sink hears of each bad block once";
}

TEST(VerifiedFile, EveryFlippedBitOfAFileOfOneBlockIsRefused) {
  Sample sample(300);
  const auto file = sample.open(nullptr).value();
  for (std::size_t bit = 0; bit < 300 * 8; ++bit) {
    sample.file.flip(bit / 8, bit % 8);
    ASSERT_FALSE(read(*file, 0, 300)) << bit;
    sample.file.flip(bit / 8, bit % 8);
  }
  EXPECT_TRUE(read(*file, 0, 300));
}

TEST(VerifiedFile, EveryFlippedBitOfTheDescriptorIsRefused) {
  Sample sample(3 * kBlock);
  const Digest good = sample.tree.digest;
  Bytes descriptor(bytes_of(sample.tree.descriptor).begin(),
                   bytes_of(sample.tree.descriptor).end());
  for (std::size_t bit = 0; bit < descriptor.size() * 8; ++bit) {
    descriptor[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    sample.tree.digest = crypto::sha256(descriptor);
    expect_tampered(read(*sample.open().value(), 0, 1));
    const auto without_tree = sample.open(nullptr);
    ASSERT_FALSE(without_tree);
    EXPECT_EQ(without_tree.error().kind(), ErrorKind::tampered);
    descriptor[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  sample.tree.digest = crypto::sha256(descriptor);
  EXPECT_EQ(sample.tree.digest, good);
  EXPECT_TRUE(read(*sample.open().value(), 0, 1));
}

/// Flips every `stride`-th bit of the tree in turn.
void expect_flipped_tree_bits_refused(std::size_t blocks, std::size_t stride) {
  Sample sample(blocks * kBlock);
  Bytes stored = sample.tree.blocks;
  for (std::size_t bit = 0; bit < stored.size() * 8; bit += stride) {
    stored[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto file = sample.open(std::make_shared<MemorySource>(stored)).value();
    ASSERT_EQ(read(*file, 0, sample.content.size()).value(), sample.content) << bit;
    ASSERT_EQ(file->refused_hash_blocks(), 1u) << bit;
    stored[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  const auto twin = sample.open(std::make_shared<MemorySource>(stored)).value();
  EXPECT_EQ(read(*twin, 0, sample.content.size()).value(), sample.content);
  EXPECT_EQ(twin->refused_hash_blocks(), 0u);
  EXPECT_THAT(sample.told, IsEmpty());
}

TEST(VerifiedFile, EveryFlippedBitOfATreeBlockIsRefusedAndRebuiltFromTheData) {
  expect_flipped_tree_bits_refused(2, 1);
}

TEST(VerifiedFile, FlippedBitsInEveryLevelOfATreeAreRefusedAndRebuiltFromTheData) {
  expect_flipped_tree_bits_refused(33, 7);
}

TEST(VerifiedFile, ATreeThatAgreesWithTamperedDataIsRefused) {
  // What somebody who owns the disk would do: change the data and all hashes with it.
  Sample sample(40 * kBlock);
  sample.file.flip(5 * kBlock);
  const MerkleTree forged = build_tree(sample.file.fd(), kParams).value();
  const auto file = sample.open(std::make_shared<MemorySource>(forged.blocks)).value();
  for (std::size_t block = 0; block < 40; ++block) expect_tampered(read(*file, block * kBlock, 1));
  EXPECT_THAT(file->scan().value(), ElementsAre(damage(0, "neither the data nor the stored")));
}

TEST(VerifiedFile, TreesOfWrongSizeAreRebuiltFromTheData) {
  Sample sample(70 * kBlock);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlock, 2 * kBlock + 1}) {
    Bytes stored = sample.tree.blocks;
    stored.resize(size);
    const auto file = sample.open(std::make_shared<MemorySource>(stored)).value();
    EXPECT_EQ(read(*file, 0, sample.content.size()).value(), sample.content) << size;
    EXPECT_GE(file->refused_hash_blocks(), 1u);
  }
}

TEST(VerifiedFile, AllBadBlocksOfARequestAreReportedOnce) {
  Sample sample(70 * kBlock);
  const auto file = sample.open().value();
  for (const std::uint64_t block : {3, 4, 31, 32, 69}) sample.file.flip(block * kBlock + 17);
  const auto all = read(*file, 0, sample.content.size());
  expect_tampered(all);
  EXPECT_THAT(all.error().message(), HasSubstr("block 3 (byte 3072) does not match its hash"));
  EXPECT_THAT(all.error().message(), HasSubstr("4 more"));
  const auto each = ElementsAre(damage(3, "hash"), damage(4, "hash"), damage(31, "hash"),
                                damage(32, "hash"), damage(69, "hash"));
  EXPECT_THAT(sample.told, each);
  expect_tampered(read(*file, 0, sample.content.size()));
  expect_tampered(read(*file, 31 * kBlock, 2 * kBlock));
  EXPECT_THAT(sample.told, each);
  EXPECT_THAT(file->scan().value(), each);
  EXPECT_TRUE(read(*file, 5 * kBlock, 26 * kBlock));
}

TEST(VerifiedFile, DamageUnderADamagedHashBlockDoesNotSpreadToOthers) {
  Sample sample(100 * kBlock);
  // Stored: the top, then hashes of blocks 0 to 31, 32 to 63, 64 to 95, 96 to 99.
  Bytes stored = sample.tree.blocks;
  stored[2 * kBlock + 100] ^= std::byte{1};
  const auto file = sample.open(std::make_shared<MemorySource>(stored)).value();
  sample.file.flip(5 * kBlock);
  sample.file.flip(40 * kBlock);
  EXPECT_TRUE(read(*file, 0, 5 * kBlock));
  EXPECT_TRUE(read(*file, 64 * kBlock, 36 * kBlock));
  expect_tampered(read(*file, 5 * kBlock, 1));
  expect_tampered(read(*file, 33 * kBlock, 1));
  EXPECT_THAT(sample.told, ElementsAre(damage(5, "hash"), damage(33, "cannot be checked")));
  EXPECT_THAT(file->scan().value(),
              ElementsAre(damage(5, "does not match its hash"), damage(32, "cannot be checked")));
  EXPECT_EQ(file->refused_hash_blocks(), 1u);
}

TEST(VerifiedFile, WithoutATreeTamperedDataIsRefusedAtOpen) {
  Sample sample(40 * kBlock);
  sample.file.flip(39 * kBlock);
  const auto refused = sample.open(nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(sample.told, ElementsAre(damage(0, "a different digest")));
  sample.file.flip(39 * kBlock);
  EXPECT_TRUE(sample.open(nullptr));
}

TEST(VerifiedFile, WithoutATreeChangesAfterOpenAreRefused) {
  Sample sample(40 * kBlock);
  const auto file = sample.open(nullptr).value();
  sample.file.flip(39 * kBlock);
  expect_tampered(read(*file, 39 * kBlock, 1));
  EXPECT_TRUE(read(*file, 0, 39 * kBlock));
  EXPECT_THAT(file->scan().value(), ElementsAre(damage(39, "does not match its hash")));
}

TEST(VerifiedFile, WrongSizesAreRefusedAtOpen) {
  Sample sample(3 * kBlock + 5);
  for (const std::size_t size : {std::size_t{0}, 3 * kBlock, 3 * kBlock + 4, 3 * kBlock + 6}) {
    sample.told.clear();
    sample.file.resize(size);
    const auto refused = sample.open();
    ASSERT_FALSE(refused) << size;
    EXPECT_EQ(refused.error().kind(), ErrorKind::tampered);
    EXPECT_EQ(sample.told.size(), 1u);
  }
}

TEST(VerifiedFile, AFileCutAfterOpenIsTampered) {
  Sample sample(70 * kBlock);
  const auto file = sample.open().value();
  sample.file.resize(50 * kBlock + 1);
  EXPECT_TRUE(read(*file, 0, 50 * kBlock));
  expect_tampered(read(*file, 50 * kBlock, 1));
  expect_tampered(read(*file, 0, 70 * kBlock));
  EXPECT_THAT(sample.told, ElementsAre(damage(50, "missing")));
  EXPECT_THAT(file->scan().value(),
              ElementsAre(damage(50, "is missing: the file ends at byte 51201, not 71680")));
}

TEST(VerifiedFile, CuttingZerosFromTheEndIsNoticed) {
  // Zero-padded for hashing, the cut block would have the same hash.
  Sample sample(2 * kBlock);
  std::ranges::fill(MutableByteSpan(sample.content).last(100), std::byte{0});
  pwrite_all(sample.file.fd(), 0, sample.content).value();
  sample.tree = build_tree(sample.file.fd(), kParams).value();
  const auto file = sample.open().value();
  EXPECT_TRUE(read(*file, kBlock, kBlock));
  sample.file.resize(2 * kBlock - 50);
  expect_tampered(read(*file, kBlock, kBlock));
  EXPECT_THAT(file->scan().value(), ElementsAre(damage(1, "is missing")));
}

TEST(VerifiedFile, BytesAddedAfterOpenAreNeverSeenButListed) {
  Sample sample(2 * kBlock + 10);
  const auto file = sample.open().value();
  sample.file.resize(5 * kBlock);
  EXPECT_EQ(read(*file, 0, sample.content.size()).value(), sample.content);
  const auto list = file->scan().value();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].range->offset, sample.content.size());
  EXPECT_THAT(list[0].reason, HasSubstr("the file has 5120 bytes, not 2058"));
}

TEST(VerifiedFile, ScanFileListsWhatOpenRefuses) {
  const Bytes content = pattern(10'000);
  ContentFile file(content);
  const MerkleTree tree = build_tree(file.fd()).value();
  const auto scan = [&](bool with_tree) {
    return scan_file(file.open(), content.size(), tree.digest,
                     with_tree ? std::make_shared<MemorySource>(tree.blocks) : nullptr)
        .value();
  };
  EXPECT_THAT(scan(true), IsEmpty());
  EXPECT_THAT(scan(false), IsEmpty());
  file.flip(5000);
  EXPECT_THAT(scan(true), ElementsAre(in_block(1)));
  EXPECT_THAT(scan(false), ElementsAre(in_block(0)));
  file.flip(5000);
  file.resize(9'000);
  EXPECT_THAT(scan(true), ElementsAre(in_block(2)));
}

TEST(VerifiedFile, ScanTellsHowFarItIs) {
  const auto told = [](std::size_t size, std::size_t cut_to) {
    Sample sample(size);
    const auto file = sample.open().value();
    sample.file.resize(cut_to);
    std::vector<std::uint64_t> all;
    file->scan([&](std::uint64_t done, std::uint64_t total) {
          all.push_back(done);
          EXPECT_EQ(total, size);
        })
        .value();
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    return all;
  };
  const auto long_file = told(1100 * kBlock + 1, 1100 * kBlock + 1);
  EXPECT_GT(long_file.size(), 1u);
  EXPECT_EQ(long_file.back(), 1100 * kBlock + 1);
  EXPECT_THAT(told(3 * kBlock, 3 * kBlock), ElementsAre(3 * kBlock));
  EXPECT_THAT(told(3 * kBlock, kBlock), ElementsAre(kBlock));
  EXPECT_THAT(told(0, 0), IsEmpty());
}

TEST(VerifiedFile, WhatTheDeviceCannotReadIsAnIoErrorAndListedByScan) {
  Sample sample(3 * kBlock);
  // Every read of a descriptor that is open for writing only fails.
  const auto broken = [&] { return open_file(sample.file.path(), O_WRONLY).value(); };
  const auto stored = std::make_shared<MemorySource>(sample.tree.blocks);
  const auto file =
      VerifiedFile::open(broken(), sample.content.size(), sample.tree.digest, stored, {}, kLayout)
          .value();
  const auto failed = read(*file, 0, kBlock + 1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), ErrorKind::io);
  EXPECT_THAT(file->scan().value(),
              ElementsAre(damage(0, "cannot be read"), damage(1, "cannot be read"),
                          damage(2, "cannot be read")));
  const auto without_tree =
      VerifiedFile::open(broken(), sample.content.size(), sample.tree.digest, nullptr, {}, kLayout);
  ASSERT_FALSE(without_tree);
  EXPECT_EQ(without_tree.error().kind(), ErrorKind::io);
}

// A sparse file takes no space, so anyone who can write to a store can make one of any size.
TEST(VerifiedFile, ScanListsBadBlocksUpToALimitAndCountsTheRest) {
  constexpr std::uint64_t kListed = 1 << 18;
  constexpr std::uint64_t kBlocks = kListed + 10;
  const Params params{.block_size = 1024};
  // The tree of content that is not zero, and a file of zeros.
  const Bytes block(1024, std::byte{1});
  Bytes hash(32);
  make_hasher(params).hash(block, hash);
  Bytes hashes;
  hashes.reserve(kBlocks * 32);
  for (std::uint64_t i = 0; i < kBlocks; ++i) hashes.insert(hashes.end(), hash.begin(), hash.end());
  TreeBuilder builder(params, true);
  builder.update_hashed(hashes, kBlocks * 1024);
  const MerkleTree tree = builder.finish();
  ContentFile file({});
  file.resize(kBlocks * 1024);
  const auto opened =
      VerifiedFile::open(file.open(), kBlocks * 1024, tree.digest,
                         std::make_shared<MemorySource>(tree.blocks), {}, {.block_size = 1024})
          .value();
  const auto list = opened->scan().value();
  ASSERT_EQ(list.size(), kListed);
  EXPECT_EQ(list.front().reason, "does not match its hash");
  EXPECT_EQ(list.back().reason, "does not match its hash; 10 more are bad, which are not listed");
}

TEST(VerifiedFile, ManyReadersAtOnce) {
  Sample sample(1100 * kBlock + 1);
  Bytes stored = sample.tree.blocks;
  stored[kBlock * 3] ^= std::byte{1};
  std::atomic<int> told = 0;
  const auto file =
      VerifiedFile::open(
          sample.file.open(), sample.content.size(), sample.tree.digest,
          std::make_shared<MemorySource>(stored), [&](const Damage&) { ++told; }, kLayout)
          .value();
  sample.file.flip(700 * kBlock);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 1100; ++i) {
        const std::size_t block = (i * 37 + t * 11) % 1100;
        const auto got = read(*file, block * kBlock, kBlock);
        if (block == 700) {
          expect_tampered(got);
        } else {
          EXPECT_TRUE(got && equal(*got, ByteSpan(sample.content).subspan(block * kBlock, kBlock)));
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(file->refused_hash_blocks(), 1u);
}

}  // namespace
}  // namespace intact::fsverity
