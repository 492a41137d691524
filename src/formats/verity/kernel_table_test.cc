#include <gtest/gtest.h>

#include <intact/block/memory_target.h>
#include <intact/verity/kernel_table.h>

namespace intact::verity {
namespace {

constexpr const char* kRoot = "9de18652fe74edfb9b805aaed72ae2aa48f94333f1ba5c452ac33b1c39325174";

/// 16 blocks of data, the tree behind a superblock, parity of 2 roots on a third device.
KernelTable example(std::optional<Layout::Fec> fec) {
  const Layout layout{.params = {.data_blocks = 16, .salt = Bytes(2, std::byte{0xab})}, .fec = fec};
  const auto memory = [](std::size_t blocks) {
    return std::make_shared<block::MemoryTarget>(Bytes(blocks * 4096));
  };
  const Devices devices{.data = memory(16), .hash = memory(8), .fec = fec ? memory(9) : nullptr};
  return KernelTable::create(layout, devices,
                             {.data = "7:0", .hash = "7:1", .fec = fec ? "7:2" : ""},
                             from_hex(kRoot).value())
      .value();
}

// As `dmsetup table` shows them after veritysetup open of such volumes.
TEST(KernelTable, IsWhatVeritysetupLoads) {
  const std::string plain = std::string("1 7:0 7:1 4096 4096 16 1 sha256 ") + kRoot + " abab";
  EXPECT_EQ(example({}).text(), plain);
  EXPECT_EQ(example(Layout::Fec{.roots = 2, .offset = 4096}).text(),
            plain + " 8 use_fec_from_device 7:2 fec_start 1 fec_blocks 23 fec_roots 2");
  KernelTable with_options = example({});
  with_options.flags = {"ignore_corruption", "ignore_zero_blocks"};
  with_options.signature_key = "cryptsetup:name";
  EXPECT_EQ(
      with_options.text(),
      plain + " 4 ignore_corruption ignore_zero_blocks root_hash_sig_key_desc cryptsetup:name");
  with_options.params.salt.clear();
  with_options.flags.clear();
  with_options.signature_key.clear();
  EXPECT_EQ(with_options.text(), std::string("1 7:0 7:1 4096 4096 16 1 sha256 ") + kRoot + " -");
}

TEST(KernelTable, ParsesWhatItWrites) {
  for (const auto fec : {std::optional<Layout::Fec>(), std::optional(Layout::Fec{.offset = 0})})
    for (const std::vector<std::string>& flags :
         {std::vector<std::string>{}, {"check_at_most_once"}, {"a", "b"}})
      for (const char* key : {"", "cryptsetup:x"}) {
        KernelTable table = example(fec);
        table.flags = flags;
        table.signature_key = key;
        const auto parsed = KernelTable::parse(table.text());
        ASSERT_TRUE(parsed) << table.text();
        EXPECT_EQ(parsed->text(), table.text());
        EXPECT_EQ(parsed->flags, flags);
      }
}

TEST(KernelTable, RefusesWhatIsNoTable) {
  const std::string good = example({}).text();
  ASSERT_TRUE(KernelTable::parse(good));
  for (const std::string& bad :
       {std::string(), std::string("1 7:0 7:1"), "x" + good, good + " 2 fec_roots two",
        good + " 1 use_fec_from_device", good + "x"}) {
    const auto parsed = KernelTable::parse(bad);
    ASSERT_FALSE(parsed) << bad;
  }
}

TEST(KernelTable, RefusesParityBetweenBlocks) {
  const Layout layout{.params = {.data_blocks = 1}, .fec = Layout::Fec{.offset = 512}};
  const auto memory = std::make_shared<block::MemoryTarget>(Bytes(1 << 20));
  EXPECT_EQ(KernelTable::create(layout, {memory, memory, memory}, {}, Bytes(32)).error().kind(),
            ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace intact::verity
