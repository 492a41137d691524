#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/report/integrity.h>
#include <intact/report/verity.h>

namespace intact::report {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

VerityHeader verity_header() {
  verity::Layout layout;
  layout.params.data_blocks = 256;
  return {.layout = layout,
          .geometry = *verity::Geometry::create(layout.params),
          .hash_device = "hash.img",
          .uuid = "00000000-0000-4000-8000-000000000001",
          .hash_size = 16384};
}

Damage verity_damage(const char* object, bool correctable) {
  return {.object = object,
          .range = DamagedRange{.first = 5, .count = 1, .offset = 20480, .bytes = 4096},
          .reason = "does not match",
          .correctable = correctable};
}

TEST(VerityResults, OfACheck) {
  VerityCheck check{.data = "d.img", .hash = "h.img", .geometry = verity_header().geometry};
  EXPECT_EQ(to_text(check), "d.img is intact: 256 data blocks and 3 hash blocks checked\n");
  EXPECT_EQ(to_json(check)["ok"], true);
  check.has_fec = true;
  check.damaged = {verity_damage("data", true)};
  check.files.in_range = {{"/a\nb"}};
  EXPECT_EQ(to_text(check),
            "DAMAGED data block 5 (bytes 20480 to 24575): does not match; FEC can correct it\n"
            "  in /a\\x0ab\n"
            "d.img is damaged in 1 place; `intact verity repair` can correct all of it\n");
  EXPECT_EQ(to_json(check)["damaged"][0]["object"], "d.img");
}

TEST(VerityResults, OfARepair) {
  VerityRepair repair{.data = "d.img", .hash = "h.img", .done = {}, .files = {}};
  EXPECT_EQ(to_text(repair), "d.img is intact: nothing to repair\n");
  repair.done.repaired = {verity_damage("hash", true)};
  EXPECT_EQ(to_text(repair), "repaired hash block 5 (bytes 20480 to 24575)\nd.img is repaired\n");
  EXPECT_EQ(to_json(repair)["repaired"][0]["object"], "h.img");
}

TEST(VerityResults, ShowAStoredHeader) {
  const VerityHeader header = verity_header();
  EXPECT_EQ(to_text(header),
            "VERITY header information for hash.img\n"
            "UUID:            \t00000000-0000-4000-8000-000000000001\n"
            "Hash type:       \t1\n"
            "Data blocks:     \t256\n"
            "Data block size: \t4096\n"
            "Hash blocks:     \t3\n"
            "Hash block size: \t4096\n"
            "Hash algorithm:  \tsha256\n"
            "Salt:            \t-\n"
            "Hash device size: \t16384 [bytes]\n");
  const Json json = to_json(header);
  EXPECT_EQ(json["hash_blocks"], 3);
  EXPECT_EQ(json["hash_device_size"], 16384);
  EXPECT_FALSE(json.contains("root_hash"));
}

TEST(VerityResults, ShowANewVolume) {
  VerityHeader header = verity_header();
  header.root = Bytes(2, std::byte{0xab});
  header.fec = {*verity::FecGeometry::create({.roots = 2, .block_size = 4096, .blocks = 259}),
                12288};
  const std::string text = to_text(header);
  EXPECT_THAT(text, HasSubstr("FEC RS roots:   \t2\n"));
  EXPECT_THAT(text, HasSubstr("Root hash:      \tabab\n"));
  EXPECT_THAT(text, EndsWith("FEC device size: \t12288 [bytes]\n"));
  EXPECT_EQ(to_json(header)["root_hash"], "abab");
}

TEST(VerityResults, ShowADeviceOfTheKernel) {
  kernel::MappingState state;
  state.mapping.name = "vol";
  state.status = "V";
  verity::KernelTable table;
  table.params.data_blocks = 1;
  table.devices = {.data = "999:1", .hash = "999:2"};
  table.hash_start = 1;
  EXPECT_THAT(to_text(state, table), HasSubstr("/dev/mapper/vol is active.\n"));
  EXPECT_THAT(to_text(state, table), HasSubstr("status:      verified\n"));
  EXPECT_THAT(to_text(state, table), HasSubstr("hash offset: 8 sectors\n"));
  EXPECT_EQ(to_json(state, table)["ok"], true);
  state.status = "C";
  EXPECT_THAT(to_text(state, table), HasSubstr("status:      corrupted\n"));
  EXPECT_EQ(to_json(state, table)["ok"], false);
}

integrity::Superblock superblock() {
  integrity::Superblock superblock;
  superblock.log2_interleave_sectors = 15;
  superblock.tag_size = 4;
  superblock.provided_data_sectors = 800;
  return superblock;
}

TEST(IntegrityResults, ShowASuperblock) {
  integrity::Superblock shown = superblock();
  EXPECT_THAT(to_text(shown, "disk"), HasSubstr("Info for integrity device disk.\n"));
  EXPECT_THAT(to_text(shown, "disk"), HasSubstr("integrity_tag_size 4\n"));
  EXPECT_THAT(to_text(shown, "disk"), Not(HasSubstr("recalc_sector")));
  EXPECT_FALSE(to_json(shown).contains("recalc_sector"));
  shown.set(integrity::Superblock::recalculating, true);
  shown.recalc_sector = 8;
  EXPECT_THAT(to_text(shown, "disk"), HasSubstr("recalc_sector 8\n"));
  EXPECT_EQ(to_json(shown)["recalc_sector"], 8);
}

TEST(IntegrityResults, ShowWhoUsesAFile) {
  IntegrityUse use{.device = "disk", .superblock = superblock()};
  EXPECT_THAT(to_text(use), HasSubstr("disk is inactive.\n"));
  EXPECT_EQ(to_json(use)["active"], false);
  const uid_t self = ::geteuid();
  use.add_server("not JSON", self);
  use.add_server(R"({"pid": 7, "layers": 3})", self);
  EXPECT_FALSE(use.active());
  use.add_server(R"({"pid": 7, "layers": [{"format": "integrity", "mismatches": 2}, "x"]})", self);
  EXPECT_THAT(to_text(use), HasSubstr("disk is active.\n"));
  EXPECT_THAT(to_text(use), HasSubstr("server:  process 7, readonly\n    failures: 2\n"));
  EXPECT_EQ(to_json(use)["servers"][0]["pid"], 7);
  // A server cannot say whose it is.
  use.add_server(R"({"pid": 8, "layers": [{"user": 0}]})", self + 1);
  EXPECT_THAT(to_text(use), HasSubstr(fmt::format("process 8 of user {}, readonly", self + 1)));
}

TEST(IntegrityResults, ShowADeviceOfTheKernel) {
  IntegrityMapping mapping{.device = "/dev/mapper/vol", .state = {}, .counts = {}, .table = {}};
  mapping.counts = {.mismatches = 3, .provided_data_sectors = 800};
  mapping.table.device = "999:1";
  EXPECT_THAT(to_text(mapping), HasSubstr("/dev/mapper/vol is active.\n"));
  EXPECT_THAT(to_text(mapping), HasSubstr("integrity: (none)\n"));
  EXPECT_THAT(to_text(mapping), HasSubstr("journal watermark: 50%\n"));
  EXPECT_THAT(to_text(mapping), Not(HasSubstr("recalculated")));
  EXPECT_EQ(to_json(mapping)["mismatches"], 3);
  mapping.table.params.mode = integrity::Mode::direct;
  mapping.counts.recalc_sector = 16;
  EXPECT_THAT(to_text(mapping), HasSubstr("recalculated: 16 of 800 sectors\n"));
  EXPECT_THAT(to_text(mapping), EndsWith("journal: not active\n"));
}

TEST(IntegrityResults, ShowACheck) {
  integrity::ScanReport report{.sectors = 16, .checked = 16};
  EXPECT_EQ(to_text(report, "disk"), "disk is intact: 16 of 16 sectors checked\n");
  EXPECT_EQ(to_json(report, "disk")["ok"], true);
  report.checked = 8;
  report.unprotected = {{.sector = 8, .sectors = 8}};
  report.why_unprotected = integrity::ScanReport::Why::recalculation;
  EXPECT_THAT(to_text(report, "disk"), HasSubstr("not checked: sectors 8 to 15: "));
  EXPECT_THAT(to_text(report, "disk"),
              EndsWith("no damage found in disk: 8 of 16 sectors checked, 8 not checked\n"));
  report.damaged = {{.range = DamagedRange{.first = 1, .count = 2, .offset = 512, .bytes = 1024},
                     .reason = "bad"}};
  EXPECT_THAT(to_text(report, "disk"),
              HasSubstr("DAMAGED sectors 1 to 2 (bytes 512 to 1535): bad\n"));
  EXPECT_THAT(to_text(report, "disk"), HasSubstr("disk is damaged in 1 place: 2 of 8 checked"));
  EXPECT_EQ(to_json(report, "disk")["ok"], false);
  EXPECT_EQ(to_json(report, "disk")["damaged"][0]["bytes"], 1024);
}

TEST(IntegrityResults, ShowAJournal) {
  integrity::JournalReport report{.sections = 4, .valid_sections = 1};
  EXPECT_THAT(to_text(report, "disk"), EndsWith("There is nothing to replay\n"));
  report.used_entries = 1;
  report.entries = {{.section = 0,
                     .index = 2,
                     .sector = 8,
                     .state = integrity::JournalReport::Entry::State::replayed}};
  EXPECT_THAT(to_text(report, "disk"), HasSubstr("section 0 entry 2: sector 8\n1 block would be"));
  EXPECT_EQ(to_json(report)["entries"][0]["state"], "replayed");
  report.refused = "the MAC is wrong";
  EXPECT_THAT(to_text(report, "disk"),
              EndsWith("The journal would not be replayed: the MAC is wrong\n"));
  EXPECT_EQ(to_json(report)["ok"], false);
}

TEST(IntegrityResults, ShowWhatWasDone) {
  EXPECT_EQ(to_text(integrity::Replayed{.sections = 1, .blocks = 2}, "disk"),
            "Replayed 2 blocks of 1 section; disk is clean\n");
  EXPECT_THAT(to_text(integrity::Replayed{.first_without_tag = 8}, "disk"),
              HasSubstr("The tags from sector 8 on are not calculated yet"));
  EXPECT_EQ(to_text(integrity::TagSample{.bad = 4, .places = 4}, "disk"), "");
  EXPECT_THAT(to_text(integrity::TagSample{.bad = 1, .places = 4}, "disk"),
              HasSubstr("disk: in 1 of 4 sampled places of 4096 bytes"));
  using Tags = integrity::Recalculated::Tags;
  EXPECT_EQ(to_text(integrity::Recalculated{Tags::all, 800}, "disk"),
            "Calculated all tags of disk: 800 sectors\n");
  EXPECT_THAT(to_text(integrity::Recalculated{Tags::none, 800}, "disk"),
              HasSubstr("no tags are missing"));
  EXPECT_EQ(to_text(integrity::Resized{8, 16, 100, 200}, "disk", "data"),
            "disk provides 16 sectors, 8 before\ndata was made longer: 200 bytes, 100 before\n");
  EXPECT_EQ(to_text(integrity::Resized{8, 16, 100, 100}, "disk", "data"),
            "disk provides 16 sectors, 8 before\n");
}

}  // namespace
}  // namespace intact::report
