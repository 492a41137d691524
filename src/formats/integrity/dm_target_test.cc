#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <intact/base/file.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/integrity_target.h>

namespace intact::integrity {
namespace {

std::shared_ptr<const crypto::Secret> any_key() {
  const Bytes bytes(*rc::gen::inRange<std::size_t>(1, 64),
                    static_cast<std::byte>(*rc::gen::inRange(0, 256)));
  return std::make_shared<const crypto::Secret>(crypto::Secret::copy_of(bytes));
}

std::optional<Algorithm> any_algorithm(const char* plain, const char* keyed) {
  switch (*rc::gen::inRange(0, 3)) {
    case 0:
      return std::nullopt;
    case 1:
      return Algorithm{.name = plain};
    default:
      return Algorithm{.name = keyed, .key = any_key()};
  }
}

template <typename Number>
Number any_number(Number low, Number high) {
  return *rc::gen::inRange<Number>(low, high);
}

/// Parameters that need not make sense together.
Params any_params() {
  Params params{
      .start = any_number<std::uint64_t>(0, UINT64_MAX),
      .mode = *rc::gen::element(Mode::journal, Mode::bitmap, Mode::direct, Mode::recovery),
      .block_size = *rc::gen::element(512u, 1024u, 2048u, 4096u),
      .interleave_sectors = any_number<std::uint32_t>(0, UINT32_MAX),
      .fix_padding = *rc::gen::arbitrary<bool>(),
      .fix_hmac = *rc::gen::arbitrary<bool>(),
      .buffer_sectors = any_number<std::uint32_t>(0, UINT32_MAX),
      .journal_watermark = any_number<std::uint32_t>(0, 101),
      .commit_time = any_number<std::uint32_t>(0, UINT32_MAX),
      .sectors_per_bit = any_number<std::uint64_t>(0, UINT64_MAX),
      .bitmap_flush_interval = any_number<std::uint32_t>(0, kMaxBitmapFlushInterval),
      .internal_hash = any_algorithm("crc32c", "hmac(sha256)"),
      .journal_crypt = any_algorithm("cbc(aes)", "ctr(aes)"),
      .journal_mac = any_algorithm("sha256", "hmac(sha512)"),
      .recalculate = *rc::gen::arbitrary<bool>(),
      .reset_recalculate = *rc::gen::arbitrary<bool>(),
      .legacy_recalculate = *rc::gen::arbitrary<bool>(),
      .legacy_hmac = *rc::gen::arbitrary<bool>(),
      .allow_discards = *rc::gen::arbitrary<bool>()};
  if (*rc::gen::arbitrary<bool>()) params.tag_size = any_number<std::uint32_t>(1, 255);
  if (*rc::gen::arbitrary<bool>())
    params.journal_sectors = any_number<std::uint32_t>(0, UINT32_MAX);
  return params;
}

bool same(const std::optional<Algorithm>& a, const std::optional<Algorithm>& b) {
  if (!a || !b) return !a && !b;
  return a->name == b->name && std::ranges::equal(a->key_bytes(), b->key_bytes());
}

bool same(const Params& a, const Params& b) {
  return a.start == b.start && a.tag_size == b.tag_size && a.mode == b.mode &&
         a.block_size == b.block_size && a.journal_sectors == b.journal_sectors &&
         a.interleave_sectors == b.interleave_sectors && a.fix_padding == b.fix_padding &&
         a.fix_hmac == b.fix_hmac && a.buffer_sectors == b.buffer_sectors &&
         a.journal_watermark == b.journal_watermark && a.commit_time == b.commit_time &&
         a.sectors_per_bit == b.sectors_per_bit &&
         a.bitmap_flush_interval == b.bitmap_flush_interval &&
         same(a.internal_hash, b.internal_hash) && same(a.journal_crypt, b.journal_crypt) &&
         same(a.journal_mac, b.journal_mac) && a.recalculate == b.recalculate &&
         a.reset_recalculate == b.reset_recalculate &&
         a.legacy_recalculate == b.legacy_recalculate && a.legacy_hmac == b.legacy_hmac &&
         a.allow_discards == b.allow_discards;
}

TEST(DmTarget, EveryParameterSurvivesTheLine) {
  EXPECT_TRUE(rc::check([] {
    dm::Names names;
    const Params params = any_params();
    const bool has_meta = *rc::gen::arbitrary<bool>();
    const dm::Line line =
        make_line({.params = params, .data = "fd:10", .meta = has_meta ? "dm:1" : "", .sectors = 8},
                  names)
            .value();
    const std::string text = dm::to_text(line);
    const dm::Line again = dm::parse_lines(text).value().at(0);
    RC_ASSERT(again == line);
    const auto table = parse_table(
        again.arguments, [&names](std::string_view reference) { return names.key(reference); });
    RC_ASSERT((table ? "" : table.error().message()) == std::string());
    RC_ASSERT(table->device == "fd:10");
    RC_ASSERT(table->meta_device == (has_meta ? "dm:1" : ""));
    RC_ASSERT(same(table->params, params));
    for (const auto* algorithm :
         {&params.internal_hash, &params.journal_crypt, &params.journal_mac})
      if (*algorithm && (*algorithm)->key && (*algorithm)->key->size() > 8)
        RC_ASSERT(text.find(to_hex((*algorithm)->key_bytes())) == std::string::npos);
  }));
}

/// A formatted device on one file.
class DmTargetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_durably(dir_.path("disk"), Bytes(4 << 20), 0600));
    file_ = block::FileDevice::open(dir_.path("disk"), block::Access::read_write).value();
    params_.internal_hash =
        Algorithm{.name = "hmac(sha256)",
                  .key = std::make_shared<const crypto::Secret>(
                      crypto::Secret::copy_of(from_hex("c0ffee00c0ffee00").value()))};
    ASSERT_TRUE(format(params_, {.data = file_}));
  }
  dm::Line line(std::uint64_t shorter = 0) {
    return make_line({.params = params_,
                      .data = names_.add(file_).value(),
                      .sectors = provided_sectors(params_, {.data = file_}).value() - shorter},
                     names_)
        .value();
  }

  TempDir dir_ = TempDir::create().value();
  dm::File file_;
  Params params_;
  dm::Names names_;
};

TEST_F(DmTargetTest, IsOpenedFromALine) {
  const auto device = kDmTarget.open(line(), names_, {}).value();
  EXPECT_TRUE(device->writable());
  Bytes out(512);
  EXPECT_FALSE(device->read(0, out)) << "no tag was ever written";
  ASSERT_TRUE(device->write(0, Bytes(512, std::byte{3})));
  ASSERT_TRUE(device->read(0, out));
  EXPECT_EQ(out, Bytes(512, std::byte{3}));
  EXPECT_TRUE(device->close());
}

TEST_F(DmTargetTest, IsAsLongAsTheLineAndNotLonger) {
  const std::uint64_t whole = kDmTarget.open(line(), names_, {}).value()->size();
  {
    const auto shorter = kDmTarget.open(line(8), names_, {}).value();
    EXPECT_EQ(shorter->size(), whole - 8 * 512);
    EXPECT_FALSE(shorter->counters().empty());
    ASSERT_TRUE(shorter->write(0, Bytes(512, std::byte{3})));
    ASSERT_TRUE(shorter->close());
    EXPECT_FALSE(shorter->write(0, Bytes(512))) << "the device itself is still open";
  }
  const auto longer = kDmTarget.open(line(static_cast<std::uint64_t>(-8)), names_, {});
  ASSERT_FALSE(longer);
  EXPECT_NE(longer.error().message().find("and the device provides"), std::string::npos);
}

TEST_F(DmTargetTest, GivesTheKernelTheKeyAndNobodyElse) {
  const dm::Line line = this->line();
  EXPECT_EQ(dm::to_text(line).find("c0ffee"), std::string::npos);
  const auto device = kDmTarget.open(line, names_, {.read_only = true}).value();
  const auto arguments =
      kDmTarget
          .kernel_arguments(line, names_, *device,
                            [](std::string_view) { return Result<std::string>("7:3"); })
          .value();
  EXPECT_TRUE(arguments.expose_text().starts_with("7:3 0 32 J 6 "));
  EXPECT_TRUE(arguments.expose_text().ends_with("internal_hash:hmac(sha256):c0ffee00c0ffee00"));
  EXPECT_TRUE(parse_table(arguments.expose_text()));
}

TEST_F(DmTargetTest, NamesTheKeyThatIsMissing) {
  dm::Line line = this->line();
  for (std::string& argument : line.arguments)
    if (argument.starts_with("internal_hash")) argument = "internal_hash:hmac(sha256)::8:fd:999";
  const auto device = kDmTarget.open(line, names_, {});
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().message(), "integrity: internal_hash: ':8:fd:999' does not name a key");
  // A key in the line itself would be kept and shown.
  for (std::string& argument : line.arguments)
    if (argument.starts_with("internal_hash")) argument = "internal_hash:hmac(sha256):c0ffee00";
  EXPECT_FALSE(kDmTarget.open(line, names_, {}));
}

}  // namespace
}  // namespace intact::integrity
