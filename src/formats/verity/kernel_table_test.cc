#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/verity/dm_target.h>

namespace intact::verity {
namespace {

constexpr const char* kRoot = "9de18652fe74edfb9b805aaed72ae2aa48f94333f1ba5c452ac33b1c39325174";

/// 16 blocks of data, a superblock and the tree, parity of 2 roots on a third device.
KernelTable example(std::optional<Layout::Fec> fec) {
  const Layout layout{.params = {.data_blocks = 16, .salt = Bytes(2, std::byte{0xab})}, .fec = fec};
  const auto memory = [](std::size_t blocks) {
    return std::make_shared<block::MemoryDevice>(Bytes(blocks * 4096));
  };
  const Devices devices{.data = memory(16), .hash = memory(8), .fec = fec ? memory(9) : nullptr};
  const auto line = make_line({.layout = layout,
                               .root = from_hex(kRoot).value(),
                               .data = "7:0",
                               .hash = "7:1",
                               .fec = fec ? "7:2" : ""},
                              devices);
  return KernelTable::parse(line.value()).value();
}

std::string text_of(const KernelTable& table) {
  return dm::to_text(table.line()).substr(std::string_view("0 128 verity ").size());
}
Result<KernelTable> parse(const std::string& text) {
  return KernelTable::parse({.target = "verity", .arguments = dm::split_words(text)});
}

// As `dmsetup table` shows them after veritysetup open of such volumes.
TEST(KernelTable, IsWhatVeritysetupLoads) {
  const std::string plain = std::string("1 7:0 7:1 4096 4096 16 1 sha256 ") + kRoot + " abab";
  EXPECT_EQ(text_of(example({})), plain);
  EXPECT_EQ(text_of(example(Layout::Fec{.roots = 2, .offset = 4096})),
            plain + " 8 use_fec_from_device 7:2 fec_start 1 fec_blocks 23 fec_roots 2");
  KernelTable with_options = example({});
  with_options.flags = {"ignore_corruption", "ignore_zero_blocks"};
  with_options.signature_key = "cryptsetup:name";
  EXPECT_EQ(
      text_of(with_options),
      plain + " 4 ignore_corruption ignore_zero_blocks root_hash_sig_key_desc cryptsetup:name");
  with_options.params.salt.clear();
  with_options.flags.clear();
  with_options.signature_key.clear();
  EXPECT_EQ(text_of(with_options), std::string("1 7:0 7:1 4096 4096 16 1 sha256 ") + kRoot + " -");
}

TEST(KernelTable, CountsTheOptionThatTheKernelLacks) {
  const std::string plain = std::string("1 7:0 7:1 4096 4096 16 1 sha256 ") + kRoot + " abab";
  const std::string fec = " use_fec_from_device 7:2 fec_start 1 fec_blocks 23 fec_roots 2";
  const KernelTable table = example(Layout::Fec{.roots = 2, .offset = 4096 + 512});
  EXPECT_EQ(text_of(table), plain + " 10" + fec + " fec_start_sector 9");
  EXPECT_EQ(parse(text_of(table)).value().fec->start_sector, std::optional<std::uint64_t>(9));
  for (const char* count : {" 8", " 9", " 11"})
    EXPECT_FALSE(parse(plain + count + fec + " fec_start_sector 9")) << count;
  for (const char* value : {"", " x", " 9 9", " 36028797018963968"})
    EXPECT_FALSE(parse(plain + " 10" + fec + " fec_start_sector" + value)) << value;
}

TEST(KernelTable, ParsesWhatItWrites) {
  for (const auto fec : {std::optional<Layout::Fec>(), std::optional(Layout::Fec{.offset = 0})})
    for (const std::vector<std::string>& flags : {std::vector<std::string>{},
                                                  {"check_at_most_once"},
                                                  {"ignore_corruption", "try_verify_in_tasklet"}})
      for (const char* key : {"", "cryptsetup:x"}) {
        KernelTable table = example(fec);
        table.flags = flags;
        table.signature_key = key;
        const auto parsed = parse(text_of(table));
        ASSERT_TRUE(parsed) << text_of(table);
        EXPECT_EQ(text_of(*parsed), text_of(table));
        EXPECT_EQ(parsed->flags, flags);
      }
}

TEST(KernelTable, RefusesWhatIsNoTable) {
  const std::string good = text_of(example({}));
  ASSERT_TRUE(parse(good));
  for (const std::string& bad :
       {std::string(), std::string("1 7:0 7:1"), "x" + good, good + " 2 fec_roots two",
        good + " 1 use_fec_from_device", good + "x"}) {
    const auto parsed = parse(bad);
    ASSERT_FALSE(parsed) << bad;
  }
}

}  // namespace
}  // namespace intact::verity
