#include <gtest/gtest.h>

#include <intact/crypto/kdf.h>

namespace intact::crypto {
namespace {

using std::chrono::milliseconds;

TEST(KdfCosts, Pbkdf2IterationsGrowWithTheTime) {
  const auto none = pbkdf2_iterations("sha256", 32, milliseconds(0));
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_EQ(*none, kMinPbkdf2Iterations);
  // Thread time, so what else runs here changes little. Where it does, as on a virtual processor
  // that is taken away, one attempt of many is enough.
  bool grows = false;
  for (int attempt = 0; attempt < 20 && !grows; ++attempt) {
    const auto few = pbkdf2_iterations("sha256", 32, milliseconds(20));
    const auto many = pbkdf2_iterations("sha256", 32, milliseconds(200));
    // A key of two digests takes twice the work of one.
    const auto longer = pbkdf2_iterations("sha256", 64, milliseconds(200));
    ASSERT_TRUE(few && many && longer);
    grows = *many > *few * 2 && *many < std::uint64_t{*few} * 50 && *longer < *many;
  }
  EXPECT_TRUE(grows);
  EXPECT_EQ(pbkdf2_iterations("sha7", 32, milliseconds(20)).error().kind(), ErrorKind::unsupported);
}

TEST(KdfCosts, ScalesMemoryFirstThenPasses) {
  const Argon2Limits limits{.memory = 1 << 20, .lanes = 4};
  const Argon2Params measured{Argon2Type::argon2id, 4, 4096, 4};
  const auto scaled = [&](int elapsed, int target) {
    return scaled_argon2_costs(measured, limits, milliseconds(elapsed), milliseconds(target));
  };
  EXPECT_EQ(scaled(10, 10), measured);
  EXPECT_EQ(scaled(10, 100), (Argon2Params{Argon2Type::argon2id, 4, 40960, 4}));
  EXPECT_EQ(scaled(10, 2560), (Argon2Params{Argon2Type::argon2id, 4, 1 << 20, 4}));
  EXPECT_EQ(scaled(10, 5120), (Argon2Params{Argon2Type::argon2id, 8, 1 << 20, 4}));
  EXPECT_EQ(scaled(10, 5), (Argon2Params{Argon2Type::argon2id, 4, 2048, 4}));
  EXPECT_EQ(scaled(10000, 0), (Argon2Params{Argon2Type::argon2id, 4, 32, 4}));
  EXPECT_EQ(scaled(0, 1000000).time > 4, true);  // a clock that stands still
}

TEST(KdfCosts, Argon2StaysInItsLimits) {
  const Argon2Limits limits{.memory = 8192, .lanes = 2};
  const auto costs = argon2_costs(Argon2Type::argon2id, limits, milliseconds(100));
  ASSERT_TRUE(costs) << costs.error().message();
  EXPECT_LE(costs->memory, limits.memory);
  EXPECT_GE(costs->memory, kMinArgon2Memory);
  EXPECT_GE(costs->time, kMinArgon2Time);
  EXPECT_EQ(costs->lanes, 2u);
  EXPECT_TRUE(argon2({}, as_bytes("somesalt"), *costs, 32));

  const Argon2Limits usual = usual_argon2_limits();
  EXPECT_GE(usual.lanes, 1u);
  EXPECT_LE(usual.lanes, 4u);
  EXPECT_GE(usual.memory, kMinArgon2Memory);
  EXPECT_LE(usual.memory, 1u << 20);
}

}  // namespace
}  // namespace intact::crypto
