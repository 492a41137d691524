#include <algorithm>
#include <atomic>
#include <thread>

#include "test_device.h"

namespace intact::integrity {
namespace {

Params some(Mode mode, std::uint32_t block_size = 512) {
  return {.mode = mode,
          .block_size = block_size,
          .interleave_sectors = 256,
          .fix_padding = true,
          .sectors_per_bit = 64,
          .internal_hash = named("crc32c")};
}

TEST(IntegrityTarget, KeepsWhatIsWrittenInEachMode) {
  for (const Mode mode : {Mode::journal, Mode::direct, Mode::bitmap}) {
    const TestDevice device(some(mode));
    const Bytes content = device.fill();
    EXPECT_EQ(read_all(*device.must_open()), content);
    auto read_only = TestDevice::quiet();
    read_only.read_only = true;
    EXPECT_EQ(read_all(*device.must_open(read_only)), content);
    TestDevice recovery = device;
    recovery.params.mode = Mode::recovery;
    EXPECT_EQ(read_all(*recovery.must_open()), content);
    EXPECT_FALSE(recovery.must_open()->writable());
  }
}

TEST(IntegrityTarget, WorksInTheBackground) {
  for (const Mode mode : {Mode::journal, Mode::direct, Mode::bitmap}) {
    TestDevice device(some(mode));
    device.params.commit_time = 1;
    device.params.bitmap_flush_interval = 1;
    device.params.recalculate = true;
    const auto target = device.must_open({});
    const Bytes content = random_content(target->size(), 3);
    for (std::size_t at = 0; at < content.size(); at += 8192)
      ASSERT_TRUE(target->write(
          at, ByteSpan(content).subspan(at, std::min<std::size_t>(8192, content.size() - at))));
    EXPECT_EQ(read_all(*target), content);
    ASSERT_TRUE(target->recalculate());
    EXPECT_EQ(target->status().recalc_sector, target->layout().provided_data_sectors());
    ASSERT_TRUE(target->close());
    EXPECT_EQ(read_all(*device.must_open()), content);
  }
}

TEST(IntegrityTarget, ServesSeveralThreads) {
  for (const Mode mode : {Mode::journal, Mode::direct, Mode::bitmap}) {
    TestDevice device(some(mode, 4096), 1 << 20);
    device.params.commit_time = 1;
    device.params.bitmap_flush_interval = 1;
    device.params.journal_sectors = 1;  // often full
    device.fill();
    const auto target = device.must_open({});
    const std::uint64_t blocks = target->size() / 4096;
    std::atomic<unsigned> bad = 0;
    // Each block holds one number all over; readers and writers of the same blocks at the same
    // time.
    const auto write = [&](unsigned thread) {
      std::mt19937 random(thread);
      for (int i = 0; i < 200; ++i) {
        const Bytes block(4096, static_cast<std::byte>(random()));
        if (!target->write(random() % blocks * 4096, block)) ++bad;
        if (i % 50 == 0 && !target->flush()) ++bad;
      }
    };
    const auto read = [&](unsigned thread) {
      std::mt19937 random(thread);
      Bytes out(8 * 4096);
      for (int i = 0; i < 300; ++i)
        if (!target->read(random() % (blocks - 8) * 4096, out)) ++bad;
    };
    ASSERT_TRUE(target->zero(0, target->size()));
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 2; ++t) threads.emplace_back(write, t);
    for (unsigned t = 2; t < 5; ++t) threads.emplace_back(read, t);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(bad, 0u);
    EXPECT_TRUE(target->close());
    const Bytes content = read_all(*device.must_open());
    for (std::uint64_t b = 0; b < blocks; ++b)
      ASSERT_EQ(std::ranges::count(ByteSpan(content).subspan(b * 4096, 4096), content[b * 4096]),
                4096);
  }
}

TEST(IntegrityTarget, WritesZerosWithTheirTags) {
  for (const Mode mode : {Mode::journal, Mode::direct, Mode::bitmap}) {
    const TestDevice device(some(mode, 4096), 1 << 20);
    Bytes content = device.fill();
    const auto target = device.must_open();
    ASSERT_TRUE(target->zero(3 * 4096, 70 * 4096));
    std::fill_n(content.begin() + 3 * 4096, 70 * 4096, std::byte{});
    EXPECT_EQ(read_all(*target), content);
    ASSERT_TRUE(target->close());
    EXPECT_EQ(read_all(*device.must_open()), content);
  }
}

TEST(IntegrityTarget, ReadsNothingWithoutTags) {
  const TestDevice device(some(Mode::journal));
  const auto target = device.must_open();
  Bytes out(4096, std::byte{1});
  const auto read = target->read(512, out);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind(), ErrorKind::tampered);
  EXPECT_EQ(out, Bytes(4096));  // nothing that was not checked
  ASSERT_TRUE(target->write(512, Bytes(4096)));
  EXPECT_TRUE(target->read(512, out));
  EXPECT_EQ(target->status().mismatches, 1u);
}

TEST(IntegrityTarget, FormatsOverZerosOnly) {
  const Params params = some(Mode::journal);
  TestDevice device(params);
  EXPECT_EQ(format(params, device.devices()).error().kind(), ErrorKind::exists);
  auto options = TestDevice::quiet();
  options.format_zeroed = true;
  device.data = std::make_shared<block::MemoryDevice>(Bytes(512 << 10));
  EXPECT_EQ(device.open().error().kind(), ErrorKind::not_found);
  EXPECT_TRUE(device.open(options));
  Bytes dirty(512 << 10);
  dirty[4095] = std::byte{1};
  device.data = std::make_shared<block::MemoryDevice>(dirty);
  EXPECT_EQ(device.open(options).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(device.data->bytes(), dirty);
}

TEST(IntegrityTarget, TakesTagsFromAbove) {
  for (const Mode mode : {Mode::journal, Mode::direct}) {
    Params params = some(mode, 4096);
    params.internal_hash.reset();
    params.tag_size = 28;
    const TestDevice device(params);
    const Bytes blocks = random_content(5 * 4096, 1), tags = random_content(5 * 28, 2);
    {
      const auto target = device.must_open();
      ASSERT_TRUE(target->write_tagged(8192, blocks, tags));
      Bytes out(blocks.size()), out_tags(tags.size());
      ASSERT_TRUE(target->read_tagged(8192, out, out_tags));
      EXPECT_EQ(out, blocks);
      EXPECT_EQ(out_tags, tags);
      EXPECT_FALSE(target->write_tagged(8192, blocks, ByteSpan(tags).first(28)));
    }
    const auto target = device.must_open();
    Bytes out(blocks.size()), out_tags(tags.size());
    ASSERT_TRUE(target->read_tagged(8192, out, out_tags));
    EXPECT_EQ(out, blocks);
    EXPECT_EQ(out_tags, tags);
    // Without tags a journal stores zeros; in place the old ones stay.
    ASSERT_TRUE(target->write(8192, ByteSpan(blocks).first(4096)));
    ASSERT_TRUE(target->read_tagged(8192, out, out_tags));
    const Bytes first_tag(out_tags.begin(), out_tags.begin() + 28);
    EXPECT_EQ(first_tag,
              mode == Mode::journal ? Bytes(28) : Bytes(tags.begin(), tags.begin() + 28));
  }
  EXPECT_FALSE(TestDevice(some(Mode::journal)).must_open()->write_tagged(0, Bytes(512), Bytes(4)));
}

TEST(IntegrityTarget, DiscardsWhereThatIsAllowed) {
  for (const Mode mode : {Mode::journal, Mode::direct, Mode::bitmap}) {
    TestDevice device(some(mode));
    device.params.allow_discards = true;
    device.fill();
    {
      const auto target = device.must_open();
      ASSERT_TRUE(target->write(8192, Bytes(512)));  // still in the journal
      ASSERT_TRUE(target->discard(4096, 65536));
      Bytes discarded(65536);
      EXPECT_TRUE(target->read(4096, discarded));
    }
    Bytes out(512);
    EXPECT_TRUE(device.must_open()->read(4096, out));
    device.params.allow_discards = false;
    EXPECT_FALSE(device.must_open()->read(4096, out));
    EXPECT_EQ(device.must_open()->discard(4096, 512).error().kind(), ErrorKind::unsupported);
    ASSERT_TRUE(device.must_open()->zero(4096, 65536));
    EXPECT_TRUE(device.must_open()->read(4096, out));
    EXPECT_EQ(out, Bytes(512));
  }
}

TEST(IntegrityTarget, RecalculatesAndGoesOnWhereItWas) {
  TestDevice device(some(Mode::journal), 4 << 20);
  const Bytes content = random_content(4 << 20, 9);
  for (std::size_t at = 1 << 20; at < content.size(); at += 512)
    ASSERT_TRUE(device.data->write(at, ByteSpan(content).subspan(at, 512)));
  device.params.recalculate = true;
  std::uint64_t reached = 0;
  {
    const auto target = device.must_open();
    EXPECT_EQ(target->status().recalc_sector, 0u);
    std::uint64_t length = target->size();
    EXPECT_FALSE(target->is_checked(0, length));
    ASSERT_TRUE(target->recalculate([&](std::uint64_t sector) {
      reached = sector;
      return reached < 2000;
    }));
    EXPECT_LT(reached, target->layout().provided_data_sectors());
    length = target->size();
    EXPECT_TRUE(target->is_checked(0, length));
    EXPECT_EQ(length, reached * 512);
  }
  device.params.recalculate = false;
  const auto target = device.must_open();
  EXPECT_EQ(target->status().recalc_sector, reached);
  ASSERT_TRUE(target->recalculate());
  EXPECT_TRUE(target->superblock().has(Superblock::recalculating));
  std::uint64_t length = target->size();
  EXPECT_TRUE(target->is_checked(0, length));
  EXPECT_EQ(length, target->size());
  read_all(*target);
}

TEST(IntegrityTarget, RefusesARecalculationThatAnAttackerCouldHaveAskedFor) {
  Params params = some(Mode::journal);
  params.internal_hash = named("hmac(sha256)", 32);
  params.recalculate = true;
  const Devices devices{std::make_shared<block::MemoryDevice>(Bytes(512 << 10))};
  EXPECT_EQ(format(params, devices).error().kind(), ErrorKind::unsupported);
  params.fix_hmac = true;
  EXPECT_EQ(format(params, devices).error().kind(), ErrorKind::unsupported);
  params.journal_mac = named("hmac(sha256)", 16);
  EXPECT_TRUE(format(params, devices));
  EXPECT_TRUE(IntegrityTarget::open(params, devices, TestDevice::quiet()));
  params.journal_mac.reset();
  params.fix_hmac = false;
  params.legacy_recalculate = true;
  const Devices others{std::make_shared<block::MemoryDevice>(Bytes(512 << 10))};
  EXPECT_TRUE(format(params, others));
}

TEST(IntegrityTarget, RefusesWrongKeysAndWritesNothing) {
  Params params = some(Mode::journal);
  params.fix_hmac = true;
  params.internal_hash = named("hmac(sha256)", 32);
  params.journal_mac = named("hmac(sha256)", 16);
  params.journal_crypt = named("ctr(aes)", 32);
  TestDevice device(params);
  device.fill();
  const Bytes before = device.data->bytes();
  const auto refusal = [&](Params wrong) {
    const auto target = IntegrityTarget::open(wrong, device.devices(), TestDevice::quiet());
    EXPECT_FALSE(target);
    EXPECT_EQ(device.data->bytes(), before);
    return target ? ErrorKind::io : target.error().kind();
  };
  Params wrong = params;
  wrong.internal_hash = named("hmac(sha256)", 31);
  EXPECT_EQ(refusal(wrong), ErrorKind::bad_secret);
  wrong.internal_hash = named("hmac(sha256)");
  EXPECT_EQ(refusal(wrong), ErrorKind::bad_secret);
  wrong = params;
  wrong.journal_mac = named("hmac(sha256)", 17);
  EXPECT_EQ(refusal(wrong), ErrorKind::bad_secret);
  wrong.journal_mac.reset();
  EXPECT_EQ(refusal(wrong), ErrorKind::bad_secret);
  wrong = params;
  wrong.journal_crypt = named("ctr(aes)", 16);
  EXPECT_EQ(refusal(wrong), ErrorKind::bad_secret);
  wrong.journal_crypt.reset();
  EXPECT_EQ(refusal(wrong), ErrorKind::malformed);
  EXPECT_TRUE(device.open());
}

TEST(IntegrityTarget, RefusesParamsThatDoNotFitTheSuperblock) {
  const TestDevice device(some(Mode::journal));
  device.fill();
  const auto refusal = [&](auto change) {
    Params params = device.params;
    change(params);
    const auto target = IntegrityTarget::open(params, device.devices(), TestDevice::quiet());
    return target ? std::string() : target.error().message();
  };
  EXPECT_EQ(refusal([](Params&) {}), "");
  EXPECT_EQ(refusal([](Params& p) { p.tag_size = 8; }),
            "Tag size doesn't match the information in superblock: 4, not 8");
  EXPECT_EQ(refusal([](Params& p) { p.block_size = 4096; }),
            "Block size doesn't match the information in superblock: 512, not 4096");
  EXPECT_EQ(refusal([](Params& p) { p.journal_mac = named("sha256"); }),
            "Journal mac mismatch: the device has none; leave out --journal-integrity");
  EXPECT_NE(refusal([](Params& p) { p.internal_hash = named("crc32"); }), "");
  EXPECT_NE(refusal([](Params& p) { p.start = 8; }), "");
  EXPECT_NE(refusal([](Params& p) { p.mode = Mode::in_line; }), "");
}

TEST(IntegrityTarget, DoesNotWriteTheLayoutThatOverwritesItself) {
  Params params = some(Mode::journal);
  params.fix_padding = false;
  params.interleave_sectors = 8;
  const Devices devices{std::make_shared<block::MemoryDevice>(Bytes(4 << 20))};
  EXPECT_EQ(format(params, devices).error().kind(), ErrorKind::unsupported);
  params.buffer_sectors = 8;
  ASSERT_TRUE(format(params, devices));
  EXPECT_TRUE(IntegrityTarget::open(params, devices, TestDevice::quiet()));
  params.buffer_sectors = 128;
  EXPECT_EQ(IntegrityTarget::open(params, devices, TestDevice::quiet()).error().kind(),
            ErrorKind::unsupported);
  auto options = TestDevice::quiet();
  options.read_only = true;
  EXPECT_TRUE(IntegrityTarget::open(params, devices, options));
}

TEST(IntegrityTarget, GrowsAndShrinksWithItsDevice) {
  TestDevice device(some(Mode::journal), 1 << 20);
  const Bytes content = device.fill();
  Bytes larger = device.data->bytes();
  larger.resize(2 << 20);
  device.data = std::make_shared<block::MemoryDevice>(larger);
  {
    const auto target = device.must_open();
    EXPECT_GT(target->size(), content.size());
    EXPECT_EQ(target->superblock().provided_data_sectors * 512, target->size());
    Bytes out(content.size());
    EXPECT_TRUE(target->read(0, out));
    EXPECT_EQ(out, content);
  }
  Bytes smaller = device.data->bytes();
  smaller.resize(600 << 10);
  device.data = std::make_shared<block::MemoryDevice>(smaller);
  const auto cut_short = device.open();
  ASSERT_FALSE(cut_short);
  EXPECT_EQ(cut_short.error().kind(), ErrorKind::malformed);
  EXPECT_EQ(device.data->bytes(), smaller);
  auto options = TestDevice::quiet();
  options.may_shrink = true;
  const auto target = device.must_open(options);
  EXPECT_LT(target->size(), content.size());
  EXPECT_TRUE(equal(read_all(*target), ByteSpan(content).first(target->size())));
}

TEST(IntegrityTarget, AnswersNothingAfterItWasClosed) {
  const TestDevice device(some(Mode::journal));
  device.fill();
  const auto target = device.must_open();
  Bytes out(512);
  EXPECT_TRUE(target->read(0, out));
  EXPECT_TRUE(target->close());
  EXPECT_TRUE(target->close());
  EXPECT_FALSE(target->read(0, out));
  EXPECT_FALSE(target->write(0, out));
  EXPECT_FALSE(target->flush());
}

}  // namespace
}  // namespace intact::integrity
