#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/text.h>
#include <intact/report/results.h>

#include "text.h"

namespace intact::report {
namespace {

using testing::HasSubstr;
using testing::Not;

const Digest kDigest = *Digest::parse("sha256:" + std::string(64, 'a'));
const Digest kOther = *Digest::parse("sha256:" + std::string(64, 'b'));

store::NamedImage image_named(const std::string& name) {
  return {.name = name, .manifest = kDigest, .image = {"composefs-1", kOther}, .size = 1'234'567};
}

TEST(Text, OfNumbersAndNames) {
  EXPECT_EQ(counted(1, "block"), "1 block");
  EXPECT_EQ(counted(0, "block"), "0 blocks");
  EXPECT_EQ(format_size(999), "999 B");
  EXPECT_EQ(format_size(210'300'000), "210.3 MB");
  EXPECT_EQ(format_size(999'950), "1.0 MB");
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(-1), "?");
  EXPECT_EQ(format_time(INT64_MAX), "?");
  EXPECT_EQ(names_text({"a", "b"}), "'a', 'b'");
  EXPECT_EQ(names_text({"1", "2", "3", "4", "5", "6"}), "'1', '2', '3', '4', '5', '6'");
  EXPECT_EQ(names_text({"1", "2", "3", "4", "5", "6", "7"}),
            "'1', '2', '3', '4', '5' and 2 other images");
  EXPECT_EQ(quoted_list({"a", "b\"c", "\x1b"}), R"(["a","b\"c","\x1b"])");
}

oci::Descriptor descriptor_of(const char* type, const char* artifact_type = "") {
  oci::Descriptor descriptor;
  descriptor.media_type = type;
  descriptor.digest = kOther;
  descriptor.size = 7;
  descriptor.artifact_type = artifact_type;
  return descriptor;
}

TEST(ImagesOfSources, AsTextAndJson) {
  const oci::Reference reference = **oci::parse_reference("oci:dir:1.0");
  image::SourceSummary summary{.reference = reference, .top = descriptor_of("m")};
  summary.platform = oci::Platform{"linux", "amd64", ""};
  summary.config = descriptor_of("c");
  summary.layers = {descriptor_of("l\x1b")};
  summary.referrers = {descriptor_of("m", "sbom")};
  for (int i = 1; i <= 21; ++i) summary.tags.push_back("t" + std::to_string(i));
  const std::string digest = kOther.to_string();
  const std::string text = to_text(summary);
  EXPECT_THAT(text, HasSubstr("Name:      oci:dir:1.0\nDigest:    " + digest +
                              "\nType:      m\nPlatform:  linux/amd64\nLayers:\n  " + digest +
                              "  l\\x1b  7 bytes\nReferrers (not verified):\n  " + digest +
                              "  sbom  7 bytes\nTags:      t1 t2"));
  EXPECT_THAT(text, HasSubstr("t20 ... (21 in all; see --json)\n"));
  const Json json = to_json(summary);
  EXPECT_EQ(json["platform"], "linux/amd64");
  EXPECT_EQ(json["layers"].size(), 1);
  EXPECT_EQ(json["referrers"][0]["artifactType"], "sbom");
  EXPECT_TRUE(json["signatures"].empty());
  EXPECT_FALSE(json.contains("manifests"));
  EXPECT_EQ(json["tags"].size(), 21);
}

TEST(ImagesOfSources, OfSeveralPlatforms) {
  image::SourceSummary summary{
      .reference = **oci::parse_reference("oci:dir"), .top = descriptor_of("i"), .is_index = true};
  summary.manifests = {descriptor_of("m")};
  summary.manifests[0].platform = oci::Platform{"linux", "arm64", ""};
  EXPECT_THAT(to_text(summary),
              HasSubstr("Platforms:\n  " + kOther.to_string() + "  linux/arm64  m  7 bytes\n"));
  const Json json = to_json(summary);
  EXPECT_EQ(json["manifests"][0]["platform"], "linux/arm64");
  EXPECT_FALSE(json.contains("layers"));
}

TEST(VerificationOfAll, SaysWhyThereIsNoVerdict) {
  const image::NamedVerification tampered{.name = "a", .report = Error(ErrorKind::tampered, "why")};
  EXPECT_EQ(to_text(tampered), "'a' is not intact: why\n");
  EXPECT_EQ(to_json(tampered)["name"], "a");
  EXPECT_EQ(to_json(tampered)["status"], 3);
  const image::NamedVerification lost{.name = "b", .report = Error(ErrorKind::not_found, "why")};
  EXPECT_EQ(to_text(lost), "'b' is not verified: why\n");
  const image::NamedVerification record{.name = "", .report = Error(ErrorKind::malformed, "why")};
  EXPECT_EQ(to_text(record), "DAMAGED why\n");
  EXPECT_FALSE(to_json(record).contains("name"));
  const image::NamedVerification intact{.name = "c", .report = image::VerifyReport()};
  EXPECT_THAT(to_text(intact), HasSubstr("'c' is intact"));
}

TEST(Copy, SaysWhatWasSent) {
  image::CopyReport report{.destination = **oci::parse_reference("oci:dir:1"),
                           .manifest = kDigest,
                           .blobs = 3,
                           .present = 1,
                           .bytes = 20};
  const std::string text = "Copied to oci:dir:1\n  manifest  " + kDigest.to_string() +
                           "\n  sent      20 bytes of 3 blobs (1 already there)\n";
  EXPECT_EQ(to_text(report), text);
  report.attached = 1;
  EXPECT_EQ(to_text(report), text + "  with      1 signature or referrer manifest\n");
  EXPECT_EQ(to_json(report)["destination"], "oci:dir:1");
}

TEST(Logout, NamesWhatWasRemoved) {
  const registry::Logout done{.removed = {"h.io", "i.io/x"}, .file = "f"};
  EXPECT_EQ(to_text(done), "Removed the credentials of h.io\nRemoved the credentials of i.io/x\n");
  EXPECT_EQ(to_json(done)["removed"].size(), 2);
}

TEST(Images, AsATableFieldsAndJson) {
  image::StoredImages images;
  images.images = {image_named("host:5000/app:1"), image_named("plain")};
  EXPECT_THAT(to_table(images, false),
              HasSubstr("host:5000/app:1\taaaaaaaaaaaa\tbbbbbbbbbbbb\t1.2 MB\t"));
  EXPECT_THAT(to_table(images, true), HasSubstr("\tsha256:aaaa"));
  EXPECT_EQ(to_digests(images, false), "aaaaaaaaaaaa\n") << "once, though two names have it";
  const auto rows = to_fields(images);
  EXPECT_EQ(rows[0]["Repository"], "host:5000/app");
  EXPECT_EQ(rows[0]["Tag"], "1");
  EXPECT_EQ(rows[1]["Tag"], "");
  EXPECT_EQ(rows[0]["OwnSize"], "?");
  for (const auto& [key, value] : rows[0].items()) EXPECT_TRUE(empty_fields().contains(key)) << key;
  EXPECT_FALSE(to_json(images)[0].contains("own_size"));

  images.sizes.emplace();
  (*images.sizes)[images.images[0].image] = {1000, 2000};
  EXPECT_THAT(to_table(images, false), HasSubstr("\t1.0 kB\t2.0 kB\t"));
  EXPECT_EQ(to_json(images)[0]["own_size"], 1000);
  EXPECT_EQ(to_fields(images)[0]["SharedSize"], "2.0 kB");
  // A damaged image has no sizes.
  images.sizes->clear();
  EXPECT_THAT(to_table(images, false), HasSubstr("\t?\t?\t"));
  EXPECT_TRUE(to_json(images)[0]["own_size"].is_null());
}

image::VerifyReport report_with(std::vector<Damage> damaged) {
  image::VerifyReport report;
  report.files = 3;
  report.objects = 2;
  report.bytes = 5'000'000;
  report.signer = sign::Verdict{"sha256:1234", "host/app:1", "Release key"};
  report.damaged = std::move(damaged);
  return report;
}

TEST(Verification, OfAnIntactImageIsOneLine) {
  const auto report = report_with({});
  EXPECT_EQ(damage_text(report), "");
  EXPECT_EQ(verdict_text("app", report),
            "'app' is intact: 3 files, 2 objects, 5.0 MB checked; signed by Release key "
            "(sha256:1234), sealed by its publisher\n");
  EXPECT_EQ(to_json(report)["ok"], true);
  EXPECT_EQ(to_json(report)["seal"], "publisher");
  EXPECT_EQ(to_json(report)["signer_label"], "Release key");
}

TEST(Verification, SaysWhichSealHolds) {
  auto report = report_with({});
  report.seal = image::SealKind::local;
  EXPECT_THAT(verdict_text("app", report),
              HasSubstr("signed by Release key (sha256:1234), sealed by this machine\n"));
  EXPECT_EQ(to_json(report)["seal"], "local");
  report.signer.reset();
  report.basis = sign::Basis::pin;
  EXPECT_THAT(verdict_text("app", report),
              HasSubstr("pinned by its digest when it was pulled, sealed by this machine\n"));
  EXPECT_EQ(to_json(report)["basis"], "pin");
  report.basis = sign::Basis::first_use;
  EXPECT_THAT(verdict_text("app", report), HasSubstr("trusted on first use, sealed by this"));
  report.seal = image::SealKind::none;
  EXPECT_THAT(verdict_text("oci:x", report), HasSubstr("trusted on first use, not sealed\n"));
  EXPECT_EQ(to_json(report)["seal"], "none");
}

TEST(Verification, NamesAnImageThatCouldNotBeVerifiedOnce) {
  const Error untrusted(ErrorKind::untrusted, "'app': sha256:12: revoked");
  EXPECT_EQ(failure_text("app", untrusted), "'app' is not verified: sha256:12: revoked\n");
  EXPECT_EQ(failure_text("ap", untrusted), "'ap' is not verified: 'app': sha256:12: revoked\n");
  EXPECT_EQ(failure_text("app", Error(ErrorKind::not_found, "app: was pulled; pull it again")),
            "'app' is not verified: was pulled; pull it again\n");
  EXPECT_EQ(failure_text("app", Error(ErrorKind::tampered, "app:1: damaged")),
            "'app' is not intact: app:1: damaged\n");
}

TEST(Verification, NamesTheFirstPlacesOfEachFile) {
  std::vector<Damage> damaged;
  for (std::uint64_t block = 0; block < 12; ++block)
    damaged.push_back({.object = "objects/aa/1",
                       .range = DamagedRange{.first = block, .offset = block * 4096},
                       .path = "/bin/\nfalse",
                       .reason = "its hash differs"});
  damaged.push_back(
      {.object = "objects/bb/2", .range = DamagedRange(), .path = "/etc/x", .reason = "missing"});
  auto report = report_with(std::move(damaged));
  report.omitted = 4;
  const std::string text = damage_text(report);
  EXPECT_THAT(text, HasSubstr("DAMAGED /bin/\\x0afalse: block 9 (byte 36864) of objects/aa/1: "
                              "its hash differs\n"));
  EXPECT_THAT(text, Not(HasSubstr("block 10 ")));
  EXPECT_THAT(text, HasSubstr("DAMAGED /bin/\\x0afalse: 2 further places (see --json)\n"));
  EXPECT_THAT(text, HasSubstr("DAMAGED /etc/x: block 0 (byte 0) of objects/bb/2: missing\n"));
  EXPECT_THAT(text, HasSubstr("DAMAGED 4 further places (see --json)\n"));
  EXPECT_THAT(verdict_text("app", report),
              HasSubstr("'app' is damaged in 17 places; the rest is intact (5.0 MB checked;"));
  EXPECT_EQ(to_json(report)["damaged"].size(), 13u);
}

TEST(Verification, OfMetadataAndLayersSaysHowFarItGot) {
  auto metadata = report_with({{.object = "images/aa",
                                .range = DamagedRange{.first = 1, .offset = 4096},
                                .reason = "its hash differs"}});
  metadata.files = 0;
  EXPECT_THAT(damage_text(metadata), HasSubstr("DAMAGED (image metadata): block 1"));
  EXPECT_THAT(
      verdict_text("app", metadata),
      HasSubstr("is damaged in 1 place of its metadata, so its files could not be checked"));

  auto layers = report_with({{.object = image::object_of_blob(kOther), .reason = "shorter"}});
  layers.layer_checks = {{kDigest, 10, true}, {kOther, 10, false}};
  EXPECT_THAT(damage_text(layers), HasSubstr("DAMAGED (layer 2): blobs/sha256/bbbb"));
  EXPECT_THAT(verdict_text("oci:x", layers),
              HasSubstr("is damaged in 1 of 2 layers, so its files"));
  layers.layer_checks[1].good = true;
  layers.signer.reset();
  EXPECT_THAT(verdict_text("oci:x", layers),
              HasSubstr("its layers do not make the image that was signed"));
  EXPECT_THAT(verdict_text("oci:x", layers), HasSubstr("NOT SIGNED by a trusted key"));
  EXPECT_TRUE(to_json(layers)["signer"].is_null());
}

TEST(Work, SaysWhatWasDone) {
  image::PullReport pulled;
  pulled.image = image_named("app");
  pulled.objects = 1;
  pulled.layers = 2;
  EXPECT_THAT(to_text(pulled, "oci:x"),
              HasSubstr("Pulled oci:x as 'app'\n  manifest  sha256:aaaa"));
  EXPECT_THAT(to_text(pulled, "oci:x"), HasSubstr("  NOT SIGNED by a trusted key\n  1 object,"));
  EXPECT_THAT(to_text(pulled, "oci:x"), Not(HasSubstr("came from the store")));
  pulled.reused_layers = 1;
  pulled.unchanged = true;
  pulled.signer = sign::Verdict{"sha256:1234", "host/app:1"};
  EXPECT_THAT(to_text(pulled, "oci:x"), HasSubstr("  signed by sha256:1234 as host/app:1\n"));
  EXPECT_THAT(to_text(pulled, "oci:x"), HasSubstr("  1 of 2 layers came from the store"));
  EXPECT_THAT(to_text(pulled, "oci:x"), HasSubstr("(--verify does)"));
  EXPECT_EQ(to_json(pulled)["identity"], "host/app:1");

  image::SealReport sealed{.destination = **oci::parse_reference("oci:d:t"),
                           .manifest = kDigest,
                           .image = {"composefs-1", kOther},
                           .signature = kDigest};
  sealed.files = 2;
  sealed.layers = 1;
  EXPECT_THAT(to_text(sealed, ""), HasSubstr("Sealed oci:d:t\n"));
  EXPECT_THAT(to_text(sealed, ""), HasSubstr("  2 files in 1 layer, signed\n"));
  sealed.unchanged = true;
  EXPECT_THAT(to_text(sealed, "host/app"), HasSubstr("Already sealed: oci:d:t\n"));
  EXPECT_THAT(to_text(sealed, "host/app"), HasSubstr(", signed as host/app\n"));
  EXPECT_EQ(to_json(sealed, "")["image"], kOther.to_string());
  EXPECT_TRUE(to_json(sealed, "")["identity"].is_null());
  EXPECT_EQ(to_json(sealed, "host/app")["identity"], "host/app");
}

TEST(Mounts, AreNamedWithTheirPlaceAndMethod) {
  const NewMount served{.name = "app\x1b", .directory = "/mnt", .log = "/run/log"};
  EXPECT_EQ(to_text(served), "Mounted 'app\\x1b' on /mnt; log: /run/log\n");
  EXPECT_EQ(to_json(served)["method"], "fuse");
  EXPECT_EQ(to_json(served)["log"], "/run/log");
  const NewMount attached{.name = "app", .directory = "/mnt", .log = ""};
  EXPECT_EQ(to_text(attached), "Mounted 'app' on /mnt by the kernel\n");
  EXPECT_EQ(to_json(attached)["method"], "kernel");
  EXPECT_TRUE(to_json(attached)["log"].is_null());

  rootfs::Mount mount{.entry = {}, .image = "app\n", .by_kernel = true};
  mount.entry.mountpoint = "/mnt";
  EXPECT_EQ(to_table({mount}), "NAME\tDIRECTORY\tSTATUS\napp\\x0a\t/mnt\tkernel\n");
  EXPECT_EQ(
      intact::to_text(to_json(std::vector{mount})),
      R"([{"name":"app\n","directory":"/mnt","method":"kernel","status":"kernel","user":null}])");
}

TEST(StoreText, OfACheck) {
  store::FsckReport report;
  report.names = 1;
  report.images = 1;
  EXPECT_EQ(to_text(report),
            "The store is in order: 1 name, 1 image, 0 objects, 0 blobs (0 B) checked\n");
  report.garbage = 2;
  report.garbage_bytes = 5;
  report.foreign = {"odd\x1b"};
  for (std::uint64_t block = 0; block < 11; ++block)
    report.damaged.push_back({{.object = "objects/aa/1",
                               .range = DamagedRange{.first = block, .offset = block * 4096},
                               .path = "/bin/sh",
                               .reason = "its hash differs"},
                              {"app"}});
  const std::string text = to_text(report);
  EXPECT_THAT(text, HasSubstr("DAMAGED 'app' /bin/sh: block 0 (byte 0) of objects/aa/1: its hash"));
  EXPECT_THAT(text, HasSubstr("DAMAGED 'app' /bin/sh: 1 further block (listed by --json)\n"));
  EXPECT_THAT(text, HasSubstr("Not part of the store, left alone: odd\\x1b\n"));
  EXPECT_THAT(text, HasSubstr("2 files not needed by any image (5 B): run `intact gc`"));
  EXPECT_THAT(text, HasSubstr("The store is damaged in 11 places: "));
  EXPECT_THAT(
      text, HasSubstr("To repair it with `intact pull --verify SOURCE NAME`, pull again: 'app'\n"));
  EXPECT_EQ(to_json(report)["damaged"][1]["block"], 1);
  EXPECT_EQ(to_json(report)["damaged"][1]["image"], "app");
}

TEST(StoreText, OfACollection) {
  store::GcReport report;
  report.kept_images = 1;
  EXPECT_EQ(to_text(report, false), "Nothing to remove: 1 image and 0 objects are in use\n");
  report.blobs = 8;
  report.staging = 1;
  report.bytes = 172'600'000;
  EXPECT_EQ(to_text(report, false), "Freed 172.6 MB: 8 blobs, 1 interrupted operation\n");
  EXPECT_THAT(to_text(report, true), HasSubstr("Would free 172.6 MB"));
  EXPECT_EQ(to_json(report, true)["removed"]["blobs"], 8);
}

TEST(TrustText, OfChangesToAPolicy) {
  RemovedRule removed{.fingerprint = "sha256:12",
                      .identity_pattern = "host/app",
                      .any = false,
                      .file = "policy.json"};
  EXPECT_EQ(to_text(removed), "No longer trusted for 'host/app': sha256:12 (in policy.json)\n");
  EXPECT_EQ(to_json(removed)["fingerprint"], "sha256:12");
  removed.identity_pattern.reset();
  EXPECT_EQ(to_text(removed), "No longer trusted: sha256:12 (in policy.json)\n");

  ChangedRequirement changed{.requirement = {.signers = 2}, .dropped = false, .file = "p"};
  EXPECT_EQ(to_text(changed), "Required for every image (in p)\n");
  EXPECT_EQ(to_json(changed)["required"], true);
  changed.dropped = true;
  EXPECT_EQ(to_text(changed), "No longer required for every image (in p)\n");

  const ChangedRevocation revoked{.manifest = kDigest, .undone = false, .file = "p"};
  EXPECT_EQ(to_text(revoked), "Revoked: " + kDigest.to_string() + " (in p)\n");
  EXPECT_EQ(to_json(revoked)["revoked"], true);
}

TEST(TrustText, OfRules) {
  const auto key = sign::PrivateKey::generate();
  ASSERT_TRUE(key);
  const sign::Rule any{.key = key->public_key(), .identity_pattern = {}, .pins = {}};
  const sign::Rule one{.key = key->public_key(),
                       .identity_pattern = "host.example/team/*",
                       .pins = {kDigest},
                       .label = "Release"};
  EXPECT_THAT(to_text(any, "p.json"), HasSubstr("  for     any image\n  policy  p.json\n"));
  EXPECT_THAT(to_text(one, "p.json"), HasSubstr("Trusted: Release (sha256:"));
  EXPECT_THAT(to_text(one, "p.json"), HasSubstr(", pinned manifests only\n"));
  EXPECT_TRUE(to_json(any, "p.json")["identity"].is_null());
  EXPECT_EQ(to_json(one, "p.json")["pins"][0], kDigest.to_string());

  EXPECT_EQ(to_text(std::vector<sign::PolicyFile>()),
            "No keys are trusted and no manifests are revoked.\n");
  sign::Policy policy;
  ASSERT_TRUE(policy.add(one));
  policy.revoke(kOther);
  const std::vector<sign::PolicyFile> files{{"p.json", policy}};
  EXPECT_THAT(to_text(files), HasSubstr("p.json\n  sha256:"));
  EXPECT_THAT(to_text(files), HasSubstr("    only " + kDigest.to_string() + "\n"));
  EXPECT_THAT(to_text(files), HasSubstr("  revoked " + kOther.to_string() + "\n"));
  EXPECT_EQ(to_json(files)["revoked"][0]["policy"], "p.json");
}

}  // namespace
}  // namespace intact::report
