#include <algorithm>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include <intact/block/byte_device.h>
#include <intact/block/memory_device.h>

namespace intact::block {
namespace {

constexpr std::uint32_t kBlock = 512;

/// Memory that takes whole blocks only.
class BlockedMemory final : public Device {
 public:
  explicit BlockedMemory(std::size_t blocks) : memory_(Bytes(blocks * kBlock, std::byte{1})) {}
  const Bytes& bytes() const { return memory_.bytes(); }

  std::uint64_t size() const override { return memory_.size(); }
  Limits limits() const override { return {.block_size = kBlock, .writable = true}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return memory_.read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    TRY(check_blocks(*this, offset, bytes.size()));
    return memory_.write(offset, bytes);
  }
  Result<void> flush() override { return {}; }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    TRY(check_blocks(*this, offset, length));
    return memory_.discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    TRY(check_blocks(*this, offset, length));
    return memory_.zero(offset, length);
  }

 private:
  MemoryDevice memory_;
};

TEST(ByteDevice, ChangesTheBytesAskedForAndNoOthers) {
  const auto lower = std::make_shared<BlockedMemory>(5);
  ByteDevice target(lower);
  Bytes model = lower->bytes();
  // Every pair of places around the ends of blocks.
  std::vector<std::uint64_t> places;
  for (const std::uint64_t end : {0u, 1u, 2u, 4u, 5u})
    for (const int d : {-1, 0, 1, 100})
      if (const auto at = static_cast<std::int64_t>(end * kBlock) + d; at >= 0 && at <= 5 * kBlock)
        places.push_back(static_cast<std::uint64_t>(at));
  std::mt19937 random(3);
  for (const std::uint64_t begin : places)
    for (const std::uint64_t end : places) {
      if (end < begin) continue;
      Bytes bytes(end - begin);
      std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random() | 1); });
      ASSERT_TRUE(target.write(begin, bytes));
      std::ranges::copy(bytes, &model[0] + begin);
      ASSERT_EQ(lower->bytes(), model) << "write " << begin << " to " << end;
      const std::uint64_t third = bytes.size() / 3;
      ASSERT_TRUE(target.zero(begin + third, third));
      std::fill_n(&model[0] + begin + third, third, std::byte{});
      ASSERT_EQ(lower->bytes(), model) << "zero " << begin + third << "+" << third;
    }
}

TEST(ByteDevice, DiscardsWholeBlocks) {
  const auto lower = std::make_shared<BlockedMemory>(4);
  ByteDevice target(lower);
  EXPECT_TRUE(target.discard(1, 2 * kBlock - 2));
  EXPECT_EQ(lower->bytes(), Bytes(4 * kBlock, std::byte{1})) << "no block lies in it as a whole";
  EXPECT_TRUE(target.discard(1, 3 * kBlock));
  Bytes expected(4 * kBlock, std::byte{1});
  std::fill_n(&expected[kBlock], 2 * kBlock, std::byte{});
  EXPECT_EQ(lower->bytes(), expected);
}

TEST(ByteDevice, RefusesWhatLiesBeyondTheEnd) {
  ByteDevice target(std::make_shared<BlockedMemory>(2));
  const Bytes bytes(2);
  EXPECT_TRUE(target.write(2 * kBlock - 2, bytes));
  EXPECT_EQ(target.write(2 * kBlock - 1, bytes).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(target.zero(UINT64_MAX, 2).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(target.discard(1, 2 * kBlock).error().kind(), ErrorKind::malformed);
}

TEST(ByteDevice, WritersOfOneBlockLoseNothing) {
  constexpr std::size_t kWriters = 4;
  constexpr std::size_t kPart = kBlock / kWriters;
  const auto lower = std::make_shared<BlockedMemory>(64);
  ByteDevice target(lower);
  std::vector<std::thread> threads;
  for (std::size_t k = 0; k < kWriters; ++k)
    threads.emplace_back([&, k] {
      for (std::size_t round = 0; round < 20; ++round)
        for (std::uint64_t at = k * kPart; at < target.size(); at += kBlock)
          ASSERT_TRUE(target.write(at, Bytes(kPart, static_cast<std::byte>(round * 8 + k))));
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < lower->bytes().size(); ++i)
    ASSERT_EQ(lower->bytes()[i], static_cast<std::byte>(19 * 8 + i % kBlock / kPart)) << i;
}

}  // namespace
}  // namespace intact::block
