// A journal of which only some sections are in memory.
#include <random>

#include <gtest/gtest.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

constexpr std::size_t kBlock = 512;

/// Sections of 16 sectors with 8 blocks each, and room for 64 of them.
Params many_sections() {
  return {.tag_size = 248,
          .journal_sectors = 64 * 16,
          .interleave_sectors = 8,
          .fix_padding = true,
          .fix_hmac = true,
          .journal_watermark = 100,  // nothing is put in place before the journal is full
          .internal_hash = named("crc32c"),
          .journal_crypt = named("ctr(aes)", 16),
          .journal_mac = named("hmac(sha256)", 16)};
}

/// `memory`: bytes for sections; 0 is the smallest number of them.
IntegrityTarget::Options with_memory(std::size_t memory, bool read_only = false) {
  auto options = TestDevice::quiet();
  options.read_only = read_only;
  options.journal_memory = memory;
  return options;
}

/// Writes here and there, reads in between, and returns what the device has to hold.
Bytes write_some(IntegrityTarget& target, Bytes model, unsigned seed, unsigned writes) {
  std::mt19937 random(seed);
  const std::size_t blocks = model.size() / kBlock;
  for (unsigned i = 0; i < writes; ++i) {
    const std::size_t count = 1 + random() % 12;
    const std::size_t at = random() % (blocks - count) * kBlock;
    const Bytes content = random_content(count * kBlock, i);
    EXPECT_TRUE(target.write(at, content));
    std::ranges::copy(content, model.begin() + static_cast<std::ptrdiff_t>(at));
    if (random() % 8 == 0) {
      EXPECT_TRUE(target.flush());
    }
    const std::size_t from = random() % blocks * kBlock;
    Bytes read(std::min<std::size_t>(model.size() - from, 40 * kBlock));
    EXPECT_TRUE(target.read(from, read));
    EXPECT_TRUE(std::ranges::equal(read, ByteSpan(model).subspan(from, read.size())))
        << "after write " << i;
  }
  return model;
}

TEST(AJournalLargerThanItsMemory, ReadsAsWhatWasWritten) {
  for (const std::size_t memory : {std::size_t{0}, std::size_t{1} << 20}) {
    const TestDevice device(many_sections(), 2 << 20);
    const auto target = device.must_open(with_memory(memory));
    ASSERT_EQ(target->layout().journal_sections(), 64u);
    Bytes model = random_content(target->size(), 1);
    ASSERT_TRUE(target->write(0, model));
    model = write_some(*target, std::move(model), 2, 400);
    EXPECT_EQ(read_all(*target), model);
    // As after a power cut, and to read only.
    for (const std::size_t other : {std::size_t{0}, std::size_t{1} << 20}) {
      ASSERT_TRUE(target->flush());
      const TestDevice copy = device.copy();
      EXPECT_EQ(read_all(*copy.must_open(with_memory(other, true))), model);
      EXPECT_EQ(read_all(*copy.must_open(with_memory(other))), model);
    }
    EXPECT_TRUE(target->close());
    EXPECT_EQ(read_all(*device.must_open(with_memory(0))), model);
  }
}

/// Another byte in the data of the first block of a section.
void change_section(const TestDevice& device, const Layout& layout, std::uint32_t section) {
  const std::uint64_t byte = (layout.section_start(section) + 8) * kSectorSize;
  Bytes sector(kSectorSize);
  ASSERT_TRUE(device.data->read(byte, sector));
  sector[100] ^= std::byte{1};
  ASSERT_TRUE(device.data->write(byte, sector));
}

TEST(AJournalLargerThanItsMemory, IsNotBelievedWhenItHasChanged) {
  for (const bool fits : {true, false}) {
    const TestDevice device(many_sections(), 2 << 20);
    const auto writer = device.must_open(with_memory(1 << 20));
    const Bytes content = random_content(400 * kBlock, 3);  // 50 sections, from the first on
    ASSERT_TRUE(writer->write(0, content));
    ASSERT_TRUE(writer->flush());
    const TestDevice left = device.copy();

    std::vector<Mismatch> bad;
    auto options = with_memory(fits ? 1 << 20 : 0, true);
    options.on_mismatch = [&bad](const Mismatch& mismatch) { bad.push_back(mismatch); };
    const auto reader = left.must_open(options);
    EXPECT_EQ(reader->status().replayed_blocks, 400u);
    Bytes read(content.size());
    EXPECT_TRUE(reader->read(0, read));
    EXPECT_EQ(read, content);
    change_section(left, reader->layout(), 2);
    const auto outcome = reader->read(0, read);
    EXPECT_EQ(outcome.has_value(), fits);
    if (fits) {
      EXPECT_EQ(read, content);
    } else {
      EXPECT_EQ(outcome.error().kind(), ErrorKind::tampered);
      EXPECT_EQ(read, Bytes(read.size()));
      EXPECT_EQ(bad, (std::vector<Mismatch>{{.sector = 16, .sectors = 8}}));
    }
    // The others are as good as before.
    read.resize(16 * kBlock);
    EXPECT_TRUE(reader->read(0, read));
    EXPECT_TRUE(std::ranges::equal(read, ByteSpan(content).first(read.size())));
  }
}

TEST(AJournalLargerThanItsMemory, IsNotPutInPlaceWhenItHasChanged) {
  for (const bool changes : {false, true}) {
    const TestDevice device(many_sections(), 2 << 20);
    const auto writer = device.must_open(with_memory(0));
    ASSERT_TRUE(writer->write(0, random_content(400 * kBlock, 5)));
    ASSERT_TRUE(writer->flush());
    if (changes) change_section(device, writer->layout(), 1);
    const auto closed = writer->close();
    ASSERT_EQ(closed.has_value(), !changes);
    if (!changes) continue;
    EXPECT_EQ(closed.error().kind(), ErrorKind::tampered);
    EXPECT_EQ(closed.error().message(),
              "writing back: section 1 of the journal has changed since it was written");
  }
}

}  // namespace
}  // namespace intact::integrity
