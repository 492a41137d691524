// Devices of random params under random requests, closed and opened again in random modes, against
// an array of bytes.
#include <gtest/gtest.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

template <typename T, std::size_t kCount>
const T& any(std::mt19937& random, const T (&choices)[kCount]) {
  return choices[random() % kCount];
}

Algorithm any_hash(std::mt19937& random) {
  const Algorithm hashes[] = {named("crc32c"),           named("crc32"),
                              named("xxhash64"),         named("sha1"),
                              named("sha256"),           named("sha512"),
                              named("sha3-256"),         named("blake2b-256"),
                              named("blake2s-256"),      named("hmac(sha256)", 32),
                              named("hmac(sha512)", 99), named("cmac(aes)", 16)};
  return any(random, hashes);
}

Params any_params(std::mt19937& random) {
  const std::uint32_t block_sizes[] = {512, 1024, 2048, 4096};
  const std::uint64_t starts[] = {0, 0, 8, 64};
  const std::uint32_t interleaves[] = {64, 256, 1024};
  const Algorithm ciphers[] = {named("ctr(aes)", 32), named("cbc(aes)", 16), named("xts(aes)", 64),
                               named("chacha20", 32)};
  const Algorithm macs[] = {named("sha256"), named("hmac(sha1)", 20), named("crc32c")};
  Params params{.start = any(random, starts),
                .block_size = any(random, block_sizes),
                .journal_sectors = static_cast<std::uint32_t>(random() % 800),
                .interleave_sectors = any(random, interleaves),
                .fix_padding = true,
                .fix_hmac = random() % 2 == 0,
                .journal_watermark = static_cast<std::uint32_t>(random() % 101),
                .sectors_per_bit = std::uint64_t{1} << random() % 10,
                .internal_hash = any_hash(random),
                .legacy_hmac = true};
  if (random() % 3 == 0) params.tag_size = 1 + random() % 64;
  if (random() % 3 == 0) params.journal_crypt = any(random, ciphers);
  if (random() % 3 == 0) params.journal_mac = any(random, macs);
  return params;
}

std::string describe(const IntegrityTarget& target) {
  return std::string(target.table_with_keys("").expose_text());
}

void try_config(unsigned seed) {
  std::mt19937 random(seed);
  const bool has_meta = random() % 4 == 0;
  TestDevice device(any_params(random), 1 << 20, has_meta ? 1 << 20 : 0);
  const std::uint32_t block_size = device.params.block_size;
  Bytes model = device.fill(seed);
  const std::uint64_t blocks = model.size() / block_size;
  for (int session = 0; session < 4; ++session) {
    const Mode modes[] = {Mode::journal, Mode::direct, Mode::bitmap};
    device.params.mode = any(random, modes);
    auto options = TestDevice::quiet();
    options.tag_cache_size = random() % 65536;
    const auto target = device.must_open(options);
    SCOPED_TRACE(describe(*target));
    ASSERT_EQ(target->size(), model.size());
    // After a crash in mode B; with a key it could not be left for later.
    ASSERT_TRUE(target->recalculate());
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t block = random() % blocks;
      const std::uint64_t count = 1 + random() % std::min<std::uint64_t>(64, blocks - block);
      const auto what = random() % 8;
      if (what == 0) {
        ASSERT_TRUE(target->flush());
      } else if (what < 5) {
        const Bytes bytes = random_content(count * block_size, static_cast<unsigned>(random()));
        ASSERT_TRUE(target->write(block * block_size, bytes));
        std::ranges::copy(bytes, model.begin() + static_cast<std::ptrdiff_t>(block * block_size));
      } else {
        const std::uint64_t offset = random() % model.size();
        Bytes out(1 + random() % std::min<std::uint64_t>(70000, model.size() - offset));
        const auto read = target->read(offset, out);
        ASSERT_TRUE(read) << read.error().message();
        ASSERT_TRUE(equal(out, ByteSpan(model).subspan(offset, out.size())));
      }
    }
    if (random() % 2 == 0) {
      // As a crash after a flush leaves it; this target goes on to other bytes.
      ASSERT_TRUE(target->flush());
      device = device.copy();
    } else {
      ASSERT_TRUE(target->close());
    }
  }
  EXPECT_EQ(read_all(*device.must_open()), model);
}

TEST(RandomConfig, ReadsWhatWasWritten) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    try_config(seed);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace intact::integrity
