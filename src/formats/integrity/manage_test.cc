#include <algorithm>
#include <filesystem>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <intact/base/file.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/manage.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Params plain() {
  return {.interleave_sectors = 256, .fix_padding = true, .internal_hash = named("crc32c")};
}

Params keyed() {
  Params params = plain();
  params.internal_hash = named("hmac(sha256)", 32);
  return params;
}

template <typename T>
void expect_error(const Result<T>& result, ErrorKind kind, const char* said) {
  ASSERT_FALSE(result) << said;
  EXPECT_EQ(result.error().kind(), kind) << result.error().message();
  EXPECT_THAT(result.error().message(), HasSubstr(said));
}

// --- opening ------------------------------------------------------------------------------------

TEST(ParamsForOpening, ComeFromTheSuperblockUnlessTheyAreGiven) {
  Params formatted = plain();
  formatted.block_size = 4096;
  const TestDevice device(formatted);
  const Params given{.internal_hash = named("crc32c")};
  const auto opening = params_for_opening(given, std::nullopt, device.devices());
  ASSERT_TRUE(opening) << opening.error().message();
  EXPECT_EQ(opening->params.block_size, 4096u);
  EXPECT_EQ(opening->params.tag_size, 4u);
  ASSERT_TRUE(opening->superblock);
  EXPECT_EQ(opening->superblock->block_size(), 4096u);

  Params stated = given;
  stated.tag_size = 8;
  const auto kept = params_for_opening(stated, 512, device.devices());
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->params.block_size, 512u);
  EXPECT_EQ(kept->params.tag_size, 8u);
}

/// The superblock must not be able to make tags shorter, and so easier to forge.
TEST(ParamsForOpening, TakeNoTagSizeFromTheSuperblockWithAKey) {
  const TestDevice device(keyed());
  EXPECT_EQ(params_for_opening(keyed(), std::nullopt, device.devices())->params.tag_size,
            std::nullopt);
  Params recovery = keyed();
  recovery.mode = Mode::recovery;
  EXPECT_EQ(params_for_opening(recovery, std::nullopt, device.devices())->params.tag_size, 32u);
}

TEST(ParamsForOpening, ForgetWhatOnlyFormattingDecides) {
  Params given = plain();
  given.journal_sectors = 88;
  given.fix_hmac = true;
  const TestDevice device(plain());
  const Params opened = params_for_opening(given, std::nullopt, device.devices())->params;
  EXPECT_EQ(opened.journal_sectors, std::nullopt);
  EXPECT_EQ(opened.interleave_sectors, Params().interleave_sectors);
  EXPECT_FALSE(opened.fix_padding || opened.fix_hmac);
  given.mode = Mode::recovery;
  const Params recovery = params_for_opening(given, std::nullopt, device.devices())->params;
  EXPECT_EQ(recovery.journal_sectors, 88u);
  EXPECT_EQ(recovery.interleave_sectors, 256u);
}

TEST(ParamsForOpening, NeedASuperblockExceptInRecovery) {
  const Devices blank{.data = std::make_shared<block::MemoryDevice>(Bytes(512 << 10))};
  expect_error(params_for_opening(plain(), std::nullopt, blank), ErrorKind::not_found,
               "not initialized");
  Params recovery = plain();
  recovery.mode = Mode::recovery;
  const auto opening = params_for_opening(recovery, std::nullopt, blank);
  ASSERT_TRUE(opening);
  EXPECT_FALSE(opening->superblock);
}

TEST(UncheckedTrust, IsNamedForEachOptionThatGivesUpAProtection) {
  Superblock superblock;
  superblock.set(Superblock::dirty_bitmap, true);
  EXPECT_THAT(unchecked_trust(superblock, keyed()), IsEmpty());

  Params params = keyed();
  params.legacy_recalculate = true;
  params.legacy_hmac = true;
  params.journal_mac = named("hmac(sha256)", 32);
  EXPECT_THAT(unchecked_trust(superblock, params),
              ElementsAre(HasSubstr("the bitmap marks are trusted without a check"),
                          HasSubstr("the superblock is trusted without a check")));
  superblock.set(Superblock::fixed_hmac, true);
  superblock.set(Superblock::dirty_bitmap, false);
  EXPECT_THAT(unchecked_trust(superblock, params), IsEmpty());
  params.mode = Mode::recovery;
  EXPECT_THAT(unchecked_trust(superblock, params), ElementsAre(HasSubstr("in recovery mode")));
  EXPECT_THAT(unchecked_trust(superblock, plain()), IsEmpty()) << "no key, no promise";
}

// --- looking at a device ------------------------------------------------------------------------

TEST(SuperblockAt, ReadsItWhereverItIs) {
  Params params = plain();
  params.start = 16;
  const TestDevice device(params);
  const auto superblock = superblock_at(*device.data, 16);
  ASSERT_TRUE(superblock) << superblock.error().message();
  EXPECT_EQ(superblock->tag_size, 4u);
  EXPECT_EQ(superblock->interleave_sectors(), 256u);
  expect_error(superblock_at(*device.data, 0), ErrorKind::malformed, "dm-integrity superblock");
  const std::uint64_t sectors = device.data->size() / kSectorSize;
  for (const std::uint64_t start : {sectors - 7, sectors + 1, UINT64_MAX})
    expect_error(superblock_at(*device.data, start), ErrorKind::malformed,
                 "too small for a superblock");
}

TEST(SuperblockAt, HasANameForEachFlag) {
  Superblock superblock;
  EXPECT_THAT(flag_names(superblock), IsEmpty());
  superblock.flags = 0x42;
  EXPECT_THAT(flag_names(superblock), ElementsAre("recalculating", "unknown_0x40"));
  superblock.flags = Superblock::kKnownFlags;
  EXPECT_THAT(flag_names(superblock),
              ElementsAre("have_journal_mac", "recalculating", "dirty_bitmap", "fix_padding",
                          "fix_hmac", "inline"));
}

TEST(SuperblockAt, TellsTheSizeOfTheJournal) {
  const TestDevice device(plain());
  const auto superblock = superblock_at(*device.data, 0);
  const auto target = device.must_open();
  const Layout& layout = target->layout();
  EXPECT_EQ(
      journal_size(*superblock).value(),
      (layout.section_start(layout.journal_sections()) - layout.journal_start()) * kSectorSize);
  EXPECT_THAT(describe_layout(*superblock, device.params, device.devices().sizes()),
              ElementsAre(HasSubstr("at sector 0, flags 0x8"),
                          HasSubstr("tags of 4 bytes for blocks of 512 bytes"),
                          HasSubstr("sectors provided")));
  EXPECT_THAT(describe_layout(*superblock, device.params, {.data = 9}),
              ElementsAre(HasSubstr("superblock version"), HasSubstr("no layout: ")));
}

TEST(StatusLine, IsParsedAsTheKernelPrintsIt) {
  EXPECT_EQ(parse_status("3 7936 -").value(),
            (StatusLine{.mismatches = 3, .provided_data_sectors = 7936}));
  EXPECT_EQ(parse_status("0 7936 128").value(),
            (StatusLine{.mismatches = 0, .provided_data_sectors = 7936, .recalc_sector = 128}));
  EXPECT_EQ(parse_status("0 8").value().provided_data_sectors, 8u);
  for (const char* const text :
       {"", "7", "a b c", "-1 8", "1 x", "99999999999999999999 8 -", "1x 8"})
    expect_error(parse_status(text), ErrorKind::malformed, "unexpected status line");
  const TestDevice device(plain());
  const auto ours = parse_status(device.must_open()->dm_status());
  ASSERT_TRUE(ours);
  EXPECT_EQ(ours->recalc_sector, std::nullopt);
}

TEST(KernelName, IsIntegritysetupsNameInTheKernelsForm) {
  EXPECT_EQ(kernel_name("crc32c"), "crc32c");
  EXPECT_EQ(kernel_name("hmac-sha256"), "hmac(sha256)");
  EXPECT_EQ(kernel_name("hmac-sha3-256"), "hmac(sha3-256)");
  EXPECT_EQ(kernel_name("ctr-aes"), "ctr(aes)");
  EXPECT_EQ(kernel_name("blake2b-256"), "blake2b-256");
  EXPECT_EQ(kernel_name("hmac(sha1)"), "hmac(sha1)");
  EXPECT_EQ(kernel_name("hmac-"), "hmac-");
  EXPECT_EQ(kernel_name(""), "");
}

// --- keys ---------------------------------------------------------------------------------------

TEST(CheckKeysGiven, TellsWrongUsageFromAWrongKey) {
  const auto with = [](std::optional<Algorithm> hash) {
    Params params = plain();
    params.internal_hash = std::move(hash);
    return check_keys_given(params);
  };
  expect_error(with(named("hmac(sha256)")), ErrorKind::invalid_argument,
               "--integrity hmac(sha256): Error setting internal hash key: hmac(sha256) needs a "
               "key; pass --integrity-key-file");
  expect_error(with(named("sha256", 32)), ErrorKind::invalid_argument,
               "--integrity-key-file: Error setting internal hash key: sha256 takes no key");
  EXPECT_TRUE(with(named("hmac(sha256)", 32)) && with(named("sha256")) && with(std::nullopt));
  EXPECT_TRUE(with(named("crc32c", 32)) && with(named("cmac(aes)", 3))) << "only of a wrong size";
  EXPECT_TRUE(with(named("unknown"))) << "left to check_params()";
  Params params = plain();
  params.journal_mac = named("hmac(sha256)");
  expect_error(check_keys_given(params), ErrorKind::invalid_argument,
               "pass --journal-integrity-key-file");
  params = plain();
  params.journal_crypt = named("ctr(aes)");
  expect_error(check_keys_given(params), ErrorKind::invalid_argument,
               "ctr(aes) needs a key; pass --journal-crypt-key-file");
  params.journal_crypt = named("ctr(aes)", 32);
  EXPECT_TRUE(check_keys_given(params));
}

// --- formatting ---------------------------------------------------------------------------------

TEST(CheckFormat, RefusesBeforeAnythingIsWritten) {
  const Devices devices{.data = std::make_shared<block::MemoryDevice>(Bytes(512 << 10))};
  EXPECT_EQ(check_format(plain(), devices)->tag_size, 4u);
  Params params = plain();
  params.mode = Mode::in_line;
  EXPECT_FALSE(check_format(params, devices));
  params = plain();
  params.internal_hash = named("hmac(sha256)");
  expect_error(check_format(params, devices), ErrorKind::bad_secret, "");
  const Devices tiny{.data = std::make_shared<block::MemoryDevice>(Bytes(8192))};
  expect_error(check_format(plain(), tiny), ErrorKind::invalid_argument,
               "Could not initialize superblock");
}

TEST(FindOccupied, LooksWhereFormattingBegins) {
  Params params = plain();
  params.start = 8;
  const auto data = std::make_shared<block::MemoryDevice>(Bytes(64 << 10));
  const auto meta = std::make_shared<block::MemoryDevice>(Bytes(64 << 10));
  const Devices devices{.data = data, .meta = meta};
  EXPECT_FALSE(find_occupied(params, devices)->superblock);
  // Before the place of the superblock is what --start protects.
  ASSERT_TRUE(meta->write(4095, Bytes(1, std::byte{1})));
  EXPECT_FALSE(find_occupied(params, devices)->superblock);
  EXPECT_FALSE(find_occupied(params, devices)->data);
  ASSERT_TRUE(meta->write(8191, Bytes(1, std::byte{1})));
  EXPECT_TRUE(find_occupied(params, devices)->superblock);
  ASSERT_TRUE(data->write(0, Bytes(1, std::byte{1})));
  EXPECT_TRUE(find_occupied(params, devices)->data);
  EXPECT_FALSE(find_occupied(params, {.data = meta})->data) << "data among the tags";

  ASSERT_TRUE(erase_superblock(params, devices));
  EXPECT_FALSE(find_occupied(params, devices)->superblock);
  EXPECT_EQ(meta->bytes()[4095], std::byte{1});

  params.start = 1000;
  expect_error(find_occupied(params, devices), ErrorKind::invalid_argument,
               "it ends before --start");
}

TEST(Wipe, GivesEveryBlockItsTag) {
  for (const std::size_t meta : {0, 256 << 10}) {
    const TestDevice device(plain(), 3 << 20, meta);
    Bytes buffer(4096);
    EXPECT_EQ(device.must_open()->read(0, buffer).error().kind(), ErrorKind::tampered);
    std::uint64_t last = 0, total = 0, calls = 0;
    ASSERT_TRUE(wipe(device.params, device.devices(), [&](std::uint64_t done, std::uint64_t all) {
      EXPECT_LE(last, done);
      last = done;
      total = all;
      ++calls;
    }));
    const auto target = device.must_open();
    EXPECT_TRUE(
        std::ranges::all_of(read_all(*target), [](std::byte b) { return b == std::byte{}; }));
    EXPECT_EQ(last, target->size());
    EXPECT_EQ(total, target->size());
    EXPECT_GE(calls, 1u);
  }
}

TEST(Wipe, NeedsAHash) {
  Params params = plain();
  params.internal_hash.reset();
  params.tag_size = 4;
  const TestDevice device(params);
  const Bytes before = device.data->bytes();
  expect_error(wipe(params, device.devices()), ErrorKind::invalid_argument, "no internal hash");
  EXPECT_EQ(device.data->bytes(), before);
}

// --- replaying ----------------------------------------------------------------------------------

/// A device whose journal holds a block that is not in its place.
TestDevice interrupted(const Params& params, Bytes& content) {
  TestDevice device(params);
  device.fill();
  auto target = device.must_open();
  content = read_all(*target);
  const Bytes block = random_content(512, 7);
  EXPECT_TRUE(target->write(1024, block));
  EXPECT_TRUE(target->flush());
  std::ranges::copy(block, content.begin() + 1024);
  return device.copy();  // as after a power cut
}

TEST(Replay, WritesTheBlocksToTheirPlaces) {
  Bytes content;
  const TestDevice device = interrupted(plain(), content);
  ASSERT_TRUE(check_replay(device.params, device.devices()));
  EXPECT_EQ(
      report_journal(device.params, device.devices())->count(JournalReport::Entry::State::replayed),
      1u);
  const auto done = replay(device.params, device.devices());
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->sections, 1u);
  EXPECT_EQ(done->blocks, 1u);
  EXPECT_EQ(done->retagged_sectors, 0u);
  EXPECT_EQ(done->first_without_tag, std::nullopt);
  EXPECT_EQ(replay(device.params, device.devices())->blocks, 0u);
  Params recovery = device.params;  // reads places only
  recovery.mode = Mode::recovery;
  EXPECT_EQ(
      read_all(*IntegrityTarget::open(recovery, device.devices(), {.background = false}).value()),
      content);
}

TEST(Replay, RefusesAJournalThatWasChanged) {
  Bytes content;
  const TestDevice device = interrupted(plain(), content);
  const auto target = device.must_open({.read_only = true, .background = false});
  // The first block in the journal.
  const std::uint64_t at = (target->layout().journal_start() + 8) * kSectorSize;
  Bytes block(512);
  ASSERT_TRUE(device.data->read(at, block));
  block[100] ^= std::byte{1};
  ASSERT_TRUE(device.data->write(at, block));
  const Bytes before = device.data->bytes();
  expect_error(check_replay(device.params, device.devices()), ErrorKind::tampered,
               "an entry fails its tag");
  EXPECT_FALSE(replay(device.params, device.devices()));
  EXPECT_EQ(device.data->bytes(), before) << "a journal that is refused stays";
  const TempDir dir = *TempDir::create();
  EXPECT_FALSE(replay_into_copy(device.params, device.devices(), {.meta = dir.path("copy")}));
  EXPECT_FALSE(std::filesystem::exists(dir.path("copy")));
}

TEST(Replay, InACopyLeavesTheDeviceAsItIs) {
  Bytes content;
  const TestDevice device = interrupted(plain(), content);
  const Bytes before = device.data->bytes();
  const auto dir = TempDir::create();
  ASSERT_TRUE(dir);
  const std::string copy = dir->path("copy");
  const auto done = replay_into_copy(device.params, device.devices(), {.meta = copy});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->blocks, 1u);
  EXPECT_EQ(device.data->bytes(), before);
  const Devices copied{.data = block::FileDevice::open(copy, block::Access::read_write).value()};
  EXPECT_EQ(read_all(*IntegrityTarget::open(device.params, copied, {.background = false}).value()),
            content);
  EXPECT_EQ(replay_into_copy(device.params, device.devices(), {.meta = copy}).error().kind(),
            ErrorKind::exists);
}

TEST(Replay, SaysWhereTagsAreMissing) {
  TestDevice device(plain());
  device.params.recalculate = true;
  device.params.mode = Mode::direct;
  {
    const auto target = device.must_open();  // asks for a recalculation and does none
    ASSERT_TRUE(target->close());
  }
  device.params.recalculate = false;
  EXPECT_EQ(replay(device.params, device.devices())->first_without_tag, 0u);
}

// --- resizing -----------------------------------------------------------------------------------

class Resize : public testing::Test {
 protected:
  std::shared_ptr<block::FileDevice> open(const char* name) {
    return block::FileDevice::open(dir_.path(name), block::Access::read_write).value();
  }
  std::shared_ptr<block::FileDevice> make(const char* name, std::uint64_t size) {
    EXPECT_TRUE(write_file_durably(dir_.path(name), Bytes(size), 0600));
    return open(name);
  }
  /// A device of this size, all of it written.
  void fill(const Params& params, std::uint64_t size = 256 << 10) {
    const std::shared_ptr<block::Device> data = make("data", size);
    ASSERT_TRUE(format(params, {.data = data}));
    const auto target =
        IntegrityTarget::open(params, {.data = data}, {.background = false}).value();
    content_ = random_content(target->size(), 1);
    ASSERT_TRUE(target->write(0, content_));
    ASSERT_TRUE(target->close());
  }
  Bytes all(const Params& params) {
    return read_all(
        *IntegrityTarget::open(params, {.data = open("data")}, {.background = false}).value());
  }

  TempDir dir_ = TempDir::create().value();
  Bytes content_;
};

TEST_F(Resize, GrowsToASizeAndKeepsTheContent) {
  fill(plain());
  const auto resized = resize(plain(), open("data"), nullptr, {.sectors = 1000, .wipe = true});
  ASSERT_TRUE(resized) << resized.error().message();
  EXPECT_EQ(resized->before, content_.size() / kSectorSize);
  EXPECT_GE(resized->sectors, 1000u);
  EXPECT_EQ(resized->file_before, 256u << 10);
  EXPECT_EQ(resized->file_size, std::filesystem::file_size(dir_.path("data")));
  const Bytes after = all(plain());
  EXPECT_EQ(after.size(), resized->sectors * kSectorSize);
  EXPECT_TRUE(std::equal(content_.begin(), content_.end(), after.begin()));
  EXPECT_TRUE(std::all_of(after.begin() + static_cast<std::ptrdiff_t>(content_.size()), after.end(),
                          [](std::byte b) { return b == std::byte{}; }));
}

TEST_F(Resize, ShrinksAndGrowsWithTheFile) {
  fill(plain());
  ASSERT_TRUE(resize(plain(), open("data"), nullptr, {.file_size = 200 << 10}));
  EXPECT_EQ(std::filesystem::file_size(dir_.path("data")), 200u << 10);
  Bytes after = all(plain());
  EXPECT_LT(after.size(), content_.size());
  EXPECT_TRUE(std::equal(after.begin(), after.end(), content_.begin()));

  // The caller has changed the file: all of it is used.
  std::filesystem::resize_file(dir_.path("data"), 300 << 10);
  const auto grown = resize(plain(), open("data"), nullptr, {});
  ASSERT_TRUE(grown) << grown.error().message();
  EXPECT_GT(grown->sectors, after.size() / kSectorSize);
  EXPECT_EQ(all(plain()).size(), grown->sectors * kSectorSize);
}

/// A file in memory whose length cannot change in one way: what a crash before that leaves.
class SealedFile {
 public:
  SealedFile(ByteSpan content, unsigned seal)
      : fd_(::memfd_create("resize", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    EXPECT_TRUE(pwrite_all(fd_.get(), 0, content));
    EXPECT_EQ(::fcntl(fd_.get(), F_ADD_SEALS, seal), 0);
  }
  std::shared_ptr<block::FileDevice> open() {
    return block::FileDevice::create(duplicate_fd(fd_.get()).value(), block::Access::read_write)
        .value();
  }

 private:
  UniqueFd fd_;
};

TEST_F(Resize, CutsTheFileWhenTheSuperblockIsSmaller) {
  fill(plain());
  const ResizeRequest request{.file_size = 200 << 10};
  SealedFile file(read_file(dir_.path("data"), 1 << 20).value(), F_SEAL_SHRINK);
  expect_error(resize(plain(), file.open(), nullptr, request), ErrorKind::io,
               "cannot change the length of the file with the data");
  ASSERT_TRUE(resize(plain(), open("data"), nullptr, request));
  const Bytes twin = all(plain());
  EXPECT_EQ(read_superblock(plain(), {.data = file.open()})->provided_data_sectors,
            twin.size() / kSectorSize);
  // Nothing is missing: it opens, and has at least what it should have.
  const auto target =
      IntegrityTarget::open(plain(), {.data = file.open()}, {.background = false}).value();
  ASSERT_GE(target->size(), twin.size());
  const Bytes left = read_all(*target);
  EXPECT_TRUE(std::equal(twin.begin(), twin.end(), left.begin()));
  EXPECT_TRUE(std::equal(twin.begin(), twin.end(), content_.begin()));
}

TEST_F(Resize, GrowsTheFileBeforeTheSuperblock) {
  fill(plain());
  SealedFile file(read_file(dir_.path("data"), 1 << 20).value(), F_SEAL_GROW);
  expect_error(resize(plain(), file.open(), nullptr, {.file_size = 300 << 10}), ErrorKind::io,
               "cannot change the length of the file with the data");
  EXPECT_EQ(
      read_all(
          *IntegrityTarget::open(plain(), {.data = file.open()}, {.background = false}).value()),
      content_);
}

TEST_F(Resize, ReplaysTheJournalFirst) {
  fill(plain());
  const Bytes block = random_content(512, 9);
  {
    const auto data = open("data");
    const auto target =
        IntegrityTarget::open(plain(), {.data = data}, {.background = false}).value();
    ASSERT_TRUE(target->write(512, block));
    ASSERT_TRUE(target->flush());
    Bytes image(data->size());
    ASSERT_TRUE(data->read(0, image));
    ASSERT_TRUE(target->close());
    ASSERT_TRUE(data->write(0, image));  // the journal is full again
  }
  ASSERT_TRUE(resize(plain(), open("data"), nullptr, {.sectors = 600}));
  const Bytes after = all(plain());
  EXPECT_TRUE(std::equal(block.begin(), block.end(), after.begin() + 512));
}

TEST_F(Resize, RefusesSizesThatCannotBeAndChangesNothing) {
  fill(plain());
  const auto before = read_file(dir_.path("data"), 1 << 20).value();
  const auto refused = [&](const ResizeRequest& request, const char* said) {
    expect_error(resize(plain(), open("data"), nullptr, request), ErrorKind::invalid_argument,
                 said);
  };
  refused({.sectors = 0}, "--size: out of range");
  refused({.sectors = UINT64_MAX}, "--size: out of range");
  refused({.file_size = 1000}, "--device-size: not a multiple of 512 bytes");
  refused({.file_size = 4096}, "The device is too small");
  EXPECT_EQ(read_file(dir_.path("data"), 1 << 20).value(), before);
}

/// Anyone who can write to the device can say that sectors are new.
TEST_F(Resize, VouchesForNothingWithAKey) {
  fill(keyed());
  expect_error(resize(keyed(), open("data"), nullptr, {.file_size = 300 << 10}),
               ErrorKind::unsupported, "--wipe to fill them with zeros, or --integrity-legacy");
  EXPECT_EQ(std::filesystem::file_size(dir_.path("data")), 256u << 10);
  EXPECT_EQ(all(keyed()), content_);
  const auto wiped = resize(keyed(), open("data"), nullptr, {.file_size = 300 << 10, .wipe = true});
  EXPECT_TRUE(wiped) << wiped.error().message();
  Params trusting = keyed();
  trusting.legacy_recalculate = true;
  EXPECT_TRUE(resize(trusting, open("data"), nullptr, {.file_size = 320 << 10}));
  EXPECT_TRUE(resize(keyed(), open("data"), nullptr, {.file_size = 200 << 10})) << "nothing is new";
}

/// A MAC over the superblock does not show that it is the latest one.
TEST_F(Resize, TakesNoOldSuperblockForTheReasonOfNewSectors) {
  Params covered = keyed();
  covered.fix_hmac = true;
  covered.journal_mac = named("hmac(sha256)", 32);
  fill(covered);
  std::filesystem::resize_file(dir_.path("data"), 300 << 10);  // as if it had grown before
  expect_error(resize(covered, open("data"), nullptr, {}), ErrorKind::unsupported,
               "may be an older one that somebody put back; pass --wipe");
  ASSERT_TRUE(resize(covered, open("data"), nullptr, {.wipe = true}));
  const auto grown = resize(covered, open("data"), nullptr, {.file_size = 320 << 10});
  EXPECT_TRUE(grown) << "this resize makes the room";
}

TEST_F(Resize, RefusesAWrongKey) {
  fill(keyed());
  Params wrong = keyed();
  wrong.internal_hash = named("hmac(sha256)", 31);
  expect_error(resize(wrong, open("data"), nullptr, {.file_size = 300 << 10, .wipe = true}),
               ErrorKind::bad_secret, "");
  EXPECT_EQ(std::filesystem::file_size(dir_.path("data")), 256u << 10);
}

// --- recalculating ------------------------------------------------------------------------------

using Tags = Recalculated::Tags;

TEST(Recalculate, WithoutAKeyMakesAllTagsOnce) {
  const TestDevice device(plain());  // without any tags
  EXPECT_EQ(*tags_to_recalculate(plain(), device.devices()), Tags::all);
  std::uint64_t last = 0;
  const auto done = recalculate(plain(), device.devices(),
                                [&last](std::uint64_t at, std::uint64_t) { last = at; });
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->tags, Tags::all);
  EXPECT_EQ(last, done->sectors * kSectorSize);
  EXPECT_TRUE(scan(plain(), device.devices())->ok());

  EXPECT_EQ(*tags_to_recalculate(plain(), device.devices()), Tags::none);
  Params reset = plain();
  reset.reset_recalculate = true;
  EXPECT_EQ(*tags_to_recalculate(reset, device.devices()), Tags::all);
}

/// New tags would vouch for data that nothing has verified.
TEST(Recalculate, WithAKeyMakesNoTagsThatNobodyAskedFor) {
  const TestDevice device(keyed());
  expect_error(tags_to_recalculate(keyed(), device.devices()), ErrorKind::invalid_argument,
               "no tags are missing; pass --reset");
  Params asked = keyed();
  asked.legacy_recalculate = true;
  EXPECT_EQ(*tags_to_recalculate(asked, device.devices()), Tags::all);
}

TEST(Recalculate, ShowsDamageBeforeItIsHidden) {
  const TestDevice device(plain());
  device.fill();
  const auto whole = check_recalculate(plain(), device.devices());
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_GT(whole->places, 1u);
  EXPECT_FALSE(whole->shows_damage());
  const std::uint64_t first = device.must_open()->layout().data_sector(0) * kSectorSize;
  const TestDevice damaged = device.copy();
  Bytes changed(kSectorSize, std::byte{0x5a});
  ASSERT_TRUE(damaged.data->write(first, changed));
  EXPECT_TRUE(check_recalculate(plain(), damaged.devices())->shows_damage());
}

TEST(Recalculate, IsRefusedForAWrongKey) {
  const TestDevice device(keyed());
  device.fill();
  const auto right = check_recalculate(keyed(), device.devices());
  ASSERT_TRUE(right) << right.error().message();
  EXPECT_EQ(right->places, 0u);  // nothing would be hidden
  Params wrong = keyed();
  wrong.internal_hash = named("hmac(sha256)", 31);
  const auto refused = check_recalculate(wrong, device.devices());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::bad_secret);
}

}  // namespace
}  // namespace intact::integrity
