#include <gtest/gtest.h>

#include <intact/integrity/layout.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kMiB = 2048;  // sectors

/// A device of `sectors` sectors, formatted with these params and opened again.
struct Planned {
  Planned(const Params& params, DeviceSizes sizes) {
    auto planned = plan_format(params, sizes);
    if (!planned) {
      error = planned.error().message();
      return;
    }
    superblock = *planned;
    auto created = Layout::create(superblock, params, sizes);
    EXPECT_TRUE(created) << created.error().message();
    if (created) layout = *created;
  }
  std::uint64_t provided() const { return layout ? layout->provided_data_sectors() : 0; }

  Superblock superblock;
  std::optional<Layout> layout;
  std::string error;
};

Params with(std::uint32_t tag, std::uint32_t block, bool fixed, std::uint64_t start = 0) {
  return {.start = start, .tag_size = tag, .block_size = block, .fix_padding = fixed};
}

struct Example {
  const char* name;
  Params params;
  DeviceSizes sizes;
  std::uint32_t entry, per_sector, entries, sectors, sections;
  std::uint64_t initial, provided, first_data, first_tag;
};

Params with_mac(Params params) {
  params.journal_mac = Algorithm{"sha256", {}};
  return params;
}

// The examples of the format's description, checked with a Linux kernel.
TEST(Layout, IsThatOfTheWorkedExamples) {
  const std::uint64_t gib = 1024 * kMiB;
  const Example examples[] = {
      {"plain", with(4, 512, false), {64 * kMiB}, 24, 21, 168, 176, 5, 888, 129160, 1144, 454656},
      {"plain, fixed",
       with(4, 512, true),
       {64 * kMiB},
       24,
       21,
       168,
       176,
       5,
       888,
       129160,
       1144,
       454656},
      {"4096", with(4, 4096, true), {64 * kMiB}, 80, 6, 48, 392, 2, 792, 130152, 824, 405504},
      {"4096, legacy",
       with(4, 4096, false),
       {64 * kMiB},
       80,
       6,
       48,
       392,
       2,
       792,
       129256,
       1048,
       405504},
      {"tag 8", with(8, 512, true), {64 * kMiB}, 24, 21, 168, 176, 5, 888, 128136, 1400, 454656},
      {"tag 20", with(20, 512, true), {64 * kMiB}, 40, 12, 96, 104, 9, 944, 125008, 2224, 483328},
      {"tag 32", with(32, 512, true), {64 * kMiB}, 48, 10, 80, 88, 11, 976, 121904, 3024, 499712},
      {"tag 32, 4096",
       with(32, 4096, true),
       {64 * kMiB},
       104,
       4,
       32,
       264,
       3,
       800,
       129248,
       1056,
       409600},
      {"tag 28, 4096",
       with(28, 4096, true),
       {64 * kMiB},
       104,
       4,
       32,
       264,
       3,
       800,
       129376,
       1024,
       409600},
      {"start 8192",
       with(28, 512, false, 8192),
       {64 * kMiB},
       48,
       10,
       80,
       88,
       11,
       976,
       114736,
       10960,
       4694016},
      {"16 MiB", with(4, 512, true), {16 * kMiB}, 24, 21, 168, 176, 1, 184, 32328, 440, 94208},
      {"16 MiB, start",
       with(4, 512, true, 2048),
       {16 * kMiB},
       24,
       21,
       168,
       176,
       1,
       184,
       30280,
       2488,
       1142784},
      {"16 MiB, journal MAC",
       with_mac(with(4, 512, true)),
       {16 * kMiB},
       24,
       20,
       160,
       168,
       1,
       176,
       32336,
       432,
       90112},
      {"1 GiB", with(4, 4096, true), {gib}, 80, 6, 48, 392, 41, 16080, 2079024, 16112, 8232960},
      {"1 TiB",
       with(32, 4096, true),
       {1024 * gib},
       104,
       4,
       32,
       264,
       496,
       130952,
       2130706432,
       131208,
       67047424},
      {"metadata device",
       with(4, 512, true),
       {16 * kMiB, kMiB},
       24,
       21,
       168,
       176,
       1,
       184,
       32768,
       0,
       94208},
  };
  for (const Example& e : examples) {
    SCOPED_TRACE(e.name);
    const Planned planned(e.params, e.sizes);
    ASSERT_TRUE(planned.layout) << planned.error;
    const Layout& layout = *planned.layout;
    EXPECT_EQ(layout.section(), (SectionGeometry{.entry_size = e.entry,
                                                 .entries_per_sector = e.per_sector,
                                                 .entries = e.entries,
                                                 .sectors = e.sectors}));
    EXPECT_EQ(layout.journal_sections(), e.sections);
    EXPECT_EQ(layout.initial_sectors(), e.initial);
    EXPECT_EQ(layout.provided_data_sectors(), e.provided);
    EXPECT_EQ(planned.superblock.provided_data_sectors, e.provided);
    EXPECT_EQ(layout.data_sector(0), e.first_data);
    EXPECT_EQ(layout.tag_byte(0), e.first_tag);
    EXPECT_FALSE(layout.corrupts_itself());
  }
}

TEST(Layout, PlacesSectorsAndTags) {
  const Planned planned(with(4, 512, true), {64 * kMiB});
  const Layout& layout = *planned.layout;
  const std::uint64_t places[][3] = {{1, 1145, 454660},
                                     {32767, 33911, 585724},
                                     {32768, 34168, 17362944},
                                     {65536, 67192, 34271232},
                                     {129159, 131071, 51302940}};
  for (const auto& [sector, data, tag] : places) {
    EXPECT_EQ(layout.data_sector(sector), data);
    EXPECT_EQ(layout.tag_byte(sector), tag);
  }
  EXPECT_EQ(layout.contiguous_sectors(0), 32768u);
  EXPECT_EQ(layout.contiguous_sectors(32767), 1u);
  EXPECT_EQ(layout.contiguous_sectors(129159), 1u);
  EXPECT_EQ(layout.log2_sectors_per_bit(15), 15u);
  EXPECT_EQ(layout.bitmap_bits(15), 4u);
  EXPECT_EQ(layout.bitmap_blocks(15), 1u);
}

// What cryptsetup's own tests expect of devices of 32 MiB: its checksums of all-zero devices.
TEST(Layout, ProvidesWhatCryptsetupsTestsExpect) {
  struct Size {
    std::uint32_t tag, block;
    bool fixed;
    std::uint64_t start, provided;
  };
  const Size sizes[] = {
      {32, 512, false, 0, 60992},     {4, 512, false, 0, 64664},
      {8, 512, false, 0, 64152},      {20, 512, false, 0, 62552},
      {16, 4096, false, 0, 64688},    {32, 4096, false, 0, 64752},
      {4, 4096, true, 0, 65072},      {32, 512, false, 8192, 52800},
      {48, 512, false, 8192, 50680},  {32, 4096, false, 8192, 56560},
      {28, 4096, false, 8192, 56560}, {48, 4096, false, 8192, 56048},
      {36, 4096, false, 8192, 56048}, {64, 4096, false, 8192, 55912},
      {80, 4096, false, 8192, 55400}, {64, 512, false, 8192, 48640},
      {20, 4096, false, 8192, 56496}, {24, 4096, false, 8192, 56496},
      {16, 4096, false, 8192, 56496}, {28, 512, false, 8192, 53312},
      {24, 512, false, 8192, 53848},  {16, 512, false, 8192, 54776},
  };
  for (const Size& size : sizes) {
    const Planned planned(with(size.tag, size.block, size.fixed, size.start), {32 * kMiB});
    EXPECT_EQ(planned.provided(), size.provided)
        << "tag " << size.tag << ", block " << size.block << ", start " << size.start;
  }
  const Planned separate(with(4, 512, true), {32 * kMiB, 32 * kMiB});
  EXPECT_EQ(separate.provided(), 65536u);
  for (const std::uint32_t tag : {4u, 8u, 20u, 32u, 48u, 64u}) {
    Params in_line = with(tag, 4096, true);
    in_line.mode = Mode::in_line;
    in_line.internal_hash = Algorithm{"crc32c", {}};
    EXPECT_EQ(Planned(in_line, {32768}).provided(), 32760u);
  }
}

TEST(Layout, HasSmallestDevices) {
  const std::uint64_t kib = 2;  // sectors
  EXPECT_NE(Planned(with(4, 512, true), {200 * kib}).error, "");
  EXPECT_EQ(Planned(with(4, 512, true), {400 * kib}).provided(), 360u);
  EXPECT_EQ(Planned(with(4, 512, true), {600 * kib}).provided(), 760u);
}

TEST(Layout, KeepsEverySectorAndTagApart) {
  // Every sector of small devices: no two things overlap, and all lies within.
  for (const std::uint32_t tag : {1u, 4u, 20u, 32u}) {
    for (const std::uint32_t block : {512u, 4096u}) {
      Params params = with(tag, block, true, 16);
      params.interleave_sectors = 64;
      params.journal_sectors = 1;
      const Planned planned(params, {2000});
      ASSERT_TRUE(planned.layout);
      const Layout& layout = *planned.layout;
      ASSERT_FALSE(layout.corrupts_itself());
      std::vector<int> users(2000, 0);
      for (std::uint64_t s = 0; s < layout.start() + layout.initial_sectors(); ++s) users[s] = 1;
      for (std::uint64_t s = 0; s < layout.provided_data_sectors(); ++s)
        ASSERT_EQ(users.at(layout.data_sector(s))++, 0) << s;
      std::uint64_t next = 0;
      for (std::uint64_t b = 0; b < layout.provided_blocks(); ++b) {
        const std::uint64_t at = layout.tag_byte(b);
        ASSERT_GE(at, next);
        next = at + tag;
        ASSERT_EQ(users.at(at / 512), 0);
        ASSERT_EQ(users.at((next - 1) / 512), 0);
      }
    }
  }
}

TEST(Layout, RefusesWhatDoesNotFitOrOverflows) {
  const Params params = with(4, 512, true);
  const Planned good(params, {16 * kMiB});
  ASSERT_TRUE(good.layout);
  Superblock superblock = good.superblock;
  superblock.journal_sections = 0xffffffff;
  EXPECT_FALSE(Layout::create(superblock, params, {16 * kMiB}));
  EXPECT_FALSE(Layout::create(superblock, params, {std::uint64_t{1} << 54}));
  superblock = good.superblock;
  superblock.tag_size = 0xffff;
  EXPECT_FALSE(Layout::create(superblock, params, {16 * kMiB}));
  superblock = good.superblock;
  superblock.log2_interleave_sectors = 31;
  superblock.tag_size = 255;
  EXPECT_FALSE(Layout::create(superblock, params, {16 * kMiB}));
  EXPECT_FALSE(Layout::create(good.superblock, params, {std::uint64_t{1} << 55}));
  Params far = params;
  far.start = ~std::uint64_t{0};
  EXPECT_FALSE(Layout::create(good.superblock, far, {16 * kMiB}));
  EXPECT_FALSE(plan_format(far, {16 * kMiB}));
  EXPECT_FALSE(Layout::create(good.superblock, params, {100}));
  EXPECT_TRUE(Layout::create(good.superblock, params, {8 * kMiB}));
}

TEST(Layout, KnowsTheOneThatOverwritesItself) {
  Params params = with(4, 512, false);
  params.interleave_sectors = 8;
  EXPECT_TRUE(Planned(params, {16 * kMiB}).layout->corrupts_itself());
  params.buffer_sectors = 8;
  EXPECT_FALSE(Planned(params, {16 * kMiB}).layout->corrupts_itself());
  params.buffer_sectors = 128;
  params.fix_padding = true;
  EXPECT_FALSE(Planned(params, {16 * kMiB}).layout->corrupts_itself());
}

}  // namespace
}  // namespace intact::integrity
