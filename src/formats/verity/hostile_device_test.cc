// Devices that fail under a read, or give other bytes each time: an error or the data, never
// anything else.
#include <atomic>
#include <functional>

#include <gtest/gtest.h>

#include "test_device.h"

namespace intact::verity {
namespace {

/// Hands reads on to `lower`, unless `act` has something else in mind for it.
class UnsteadySource final : public ByteSource {
 public:
  using Act = std::function<Result<void>(MutableByteSpan read)>;
  UnsteadySource(std::shared_ptr<const ByteSource> lower, Act act)
      : lower_(std::move(lower)), act_(std::move(act)) {}
  std::uint64_t size() const override { return lower_->size(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    TRY(lower_->read(offset, out));
    return act_(out);
  }

 private:
  std::shared_ptr<const ByteSource> lower_;
  Act act_;
};

Params small() {
  return {.data_block_size = 512,
          .hash_block_size = 512,
          .data_blocks = 300,
          .salt = Bytes(4, std::byte{9})};
}

/// The device with `act` between it and the target: at data, hash area and parity alike.
Result<std::unique_ptr<VerityTarget>> open_through(const TestDevice& device,
                                                   UnsteadySource::Act act) {
  const auto through = [&](std::shared_ptr<const ByteSource> lower) {
    return std::make_shared<UnsteadySource>(std::move(lower), act);
  };
  std::optional<FecDecoder> fec;
  if (device.parity)
    fec = TRY(FecDecoder::create(*device.fec_geometry, through(device.covered()),
                                 through(device.parity), 0));
  return VerityTarget::open(device.params, device.root,
                            {.data = through(device.data), .hash = through(device.hash)},
                            std::move(fec), {.cache_size = 1});  // so that much is read again
}

TEST(UnsteadyDevice, ThatFailsAtTheNthReadGivesAnErrorOrTheData) {
  for (const unsigned roots : {0u, 2u}) {
    const TestDevice device(small(), roots);
    const Bytes& good = device.data->bytes();
    std::uint64_t failing = 0;
    for (std::uint64_t nth = 1;; ++nth) {
      std::uint64_t reads = 0;
      const auto target = open_through(device, [&](MutableByteSpan read) -> Result<void> {
        if (++reads != nth) return {};
        std::ranges::fill(read, std::byte{0xee});
        return Error(ErrorKind::io, "the disk is on fire");
      });
      if (!target) {
        EXPECT_EQ(target.error().kind(), ErrorKind::io);
        ++failing;
        continue;
      }
      for (std::uint64_t offset = 0; offset < good.size(); offset += 4096) {
        Bytes out(std::min<std::uint64_t>(4096, good.size() - offset), std::byte{0xdd});
        const Bytes expected(good.begin() + static_cast<std::ptrdiff_t>(offset),
                             good.begin() + static_cast<std::ptrdiff_t>(offset + out.size()));
        if (const auto read = (*target)->read(offset, out); !read) {
          EXPECT_EQ(read.error().kind(), ErrorKind::io) << read.error().message();
          EXPECT_EQ(out, Bytes(out.size()));
          ++failing;
          // What went wrong once is not remembered.
          ASSERT_TRUE((*target)->read(offset, out));
        }
        ASSERT_EQ(out, expected);
      }
      if (reads < nth) break;
    }
    // Data blocks are tried again one by one, and hash blocks are corrected where that is possible.
    if (roots == 0)
      EXPECT_GT(failing, 10u);
    else
      EXPECT_EQ(failing, 0u);
  }
}

TEST(UnsteadyDevice, ThatIsNeverTheSameGivesAnErrorOrTheData) {
  for (const unsigned roots : {0u, 4u}) {
    const TestDevice device(small(), roots);
    const Bytes& good = device.data->bytes();
    std::mt19937 random(roots);
    unsigned one_in = 2;
    const auto act = [&](MutableByteSpan read) -> Result<void> {
      if (!read.empty() && random() % one_in == 0)
        read[random() % read.size()] ^= static_cast<std::byte>(1 + random() % 255);
      return {};
    };
    unsigned refused = 0;
    unsigned given = 0;
    for (one_in = 2; one_in < 40; ++one_in) {
      const auto target = open_through(device, act);
      if (!target) {
        EXPECT_EQ(target.error().kind(), ErrorKind::tampered);
        continue;
      }
      for (int i = 0; i < 200; ++i) {
        const std::size_t offset = random() % good.size();
        Bytes out(random() % std::min<std::size_t>(good.size() - offset + 1, 4000));
        const Bytes expected(good.begin() + static_cast<std::ptrdiff_t>(offset),
                             good.begin() + static_cast<std::ptrdiff_t>(offset + out.size()));
        if (const auto read = (*target)->read(offset, out)) {
          ASSERT_EQ(out, expected);
          ++given;
        } else {
          EXPECT_EQ(read.error().kind(), ErrorKind::tampered);
          ASSERT_EQ(out, Bytes(out.size()));
          ++refused;
        }
      }
      // Only damage is what a look at everything may find, and nothing but data what it corrects.
      const auto found = (*target)->scan(
          1, {}, [&](Area area, std::uint64_t block, ByteSpan corrected) -> Result<void> {
            if (area == Area::data) {
              EXPECT_TRUE(equal(corrected, ByteSpan(good).subspan(block * 512, 512)));
            }
            return {};
          });
      ASSERT_TRUE(found);
    }
    EXPECT_GT(given, 100u);
    EXPECT_GT(refused, roots == 0 ? 100u : 0u);
  }
}

TEST(UnsteadyDevice, ThatHasBeenGoodMayTurnBad) {
  const TestDevice device(small());
  bool bad = false;
  const auto target = *open_through(device, [&](MutableByteSpan read) -> Result<void> {
    if (bad) std::ranges::fill(read, std::byte{0});
    return {};
  });
  Bytes out(512);
  EXPECT_TRUE(target->read(0, out));
  bad = true;
  EXPECT_EQ(target->read(0, out).error().kind(), ErrorKind::tampered);
  bad = false;
  EXPECT_TRUE(target->read(0, out));
}

}  // namespace
}  // namespace intact::verity
