#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/oci/media_types.h>
#include <intact/registry/registry.h>

#include "test_registry.h"

namespace intact::registry {
namespace {

using namespace test;
using testing::HasSubstr;

std::string big_text(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 13 + i / 251) % 256);
  return text;
}

/// Blobs in memory.
class Blobs final : public oci::BlobSource {
 public:
  oci::Descriptor add(const std::string& bytes) {
    bytes_[digest_of(bytes)] = bytes;
    return oci::describe(oci::kLayerType, as_bytes(bytes));
  }
  Result<std::unique_ptr<ByteStream>> open_blob(const oci::Descriptor& blob) const override {
    return std::unique_ptr<ByteStream>(
        std::make_unique<MemoryStream>(to_bytes(bytes_.at(blob.digest.to_string()))));
  }

 private:
  std::map<std::string, std::string> bytes_;
};

class RegistryDestinationTest : public testing::Test {
 protected:
  RegistryDestinationTest() { options_.chunk = 100'000; }

  /// Sends an image with this layer and returns what came of it.
  Result<void> push(const std::string& layer) {
    Blobs blobs;
    const oci::Descriptor blob = blobs.add(layer);
    const auto destination = TRY(open_destination(reference_to(registry_.place(), "t"), options_));
    TRY(destination->copy_blob(blobs, blob));
    const auto config = TRY(destination->put_document(as_bytes("{}"), oci::kConfigType));
    const oci::Manifest manifest{std::string(oci::kManifestType), config, {blob}, {}, {}, {}, {}};
    manifest_ = std::string(as_text(oci::encode_manifest(manifest)));
    const auto image = TRY(destination->put_document(as_bytes(manifest_), oci::kManifestType));
    TRY(destination->put_image(image, {}));
    return destination->commit();
  }
  void expect_pushed(const std::string& layer) {
    EXPECT_TRUE(registry_.blob(digest_of(layer)) == layer);
    EXPECT_EQ(registry_.blob(digest_of("{}")), "{}");
    EXPECT_EQ(registry_.manifest("t"), manifest_);
  }

  Registry registry_;
  Options options_ = test_options();
  std::string manifest_;
};

TEST_F(RegistryDestinationTest, SendsAnImageAndItsTagLast) {
  const auto pushed = push("layer");
  ASSERT_TRUE(pushed) << pushed.error().message();
  expect_pushed("layer");
  const std::vector<Request> requests = registry_.server().requests();
  EXPECT_EQ(requests.back().method, "PUT");
  EXPECT_THAT(requests.back().target, HasSubstr("/manifests/t"));
  // What is there is not sent again.
  const std::size_t posts = registry_.server().count("POST", "/uploads/");
  ASSERT_TRUE(push("layer"));
  EXPECT_EQ(registry_.server().count("POST", "/uploads/"), posts);
}

TEST_F(RegistryDestinationTest, SendsLargeBlobsInChunks) {
  const std::string layer = big_text(350'000);
  ASSERT_TRUE(push(layer));
  expect_pushed(layer);
  EXPECT_EQ(registry_.server().count("PATCH", "/uploads/"), 4u);
}

TEST_F(RegistryDestinationTest, GoesOnAfterACut) {
  // The answer to the second chunk is lost, once with the chunk stored and once without.
  for (const bool stored : {false, true}) {
    std::atomic<unsigned> patches{0};  // the server counts in a thread for each connection
    const std::string layer = big_text(350'000 + stored);
    registry_.set_fault([&](const Request& request) -> std::optional<Response> {
      if (request.method != "PATCH" || ++patches != 2) return {};
      if (!stored) return Response{.hang_up = true};
      return Response{.status = 502};
    });
    const auto pushed = push(layer);
    ASSERT_TRUE(pushed) << pushed.error().message();
    expect_pushed(layer);
    EXPECT_EQ(patches, 5u);
    EXPECT_EQ(registry_.server().count("GET", "/uploads/"), stored ? 2u : 1u);
  }
}

TEST_F(RegistryDestinationTest, BeginsAgainWhereTheSessionIsGone) {
  std::atomic<unsigned> patches{0};  // the server counts in a thread for each connection
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.method == "PATCH" && ++patches == 2) return Response{.hang_up = true};
    if (request.method == "GET" && request.target.find("/uploads/") != std::string::npos)
      return Response{.status = 404};
    return {};
  });
  const std::string layer = big_text(350'000);
  const auto pushed = push(layer);
  ASSERT_TRUE(pushed) << pushed.error().message();
  expect_pushed(layer);
  EXPECT_EQ(patches, 6u);
}

TEST_F(RegistryDestinationTest, TriesTheOtherWayOfSending) {
  const std::string layer = big_text(350'000);
  registry_.set_fault([](const Request& request) -> std::optional<Response> {
    if (request.method == "PATCH") return Response{.status = 405};
    return {};
  });
  ASSERT_TRUE(push(layer));
  expect_pushed(layer);
  const std::string small = big_text(90'000);
  registry_.set_fault([](const Request& request) -> std::optional<Response> {
    if (request.method == "PUT" && request.body.size() > 50'000) return Response{.status = 413};
    return {};
  });
  ASSERT_TRUE(push(small));
  expect_pushed(small);
}

TEST_F(RegistryDestinationTest, LeavesNoTagWhenAnyRequestFails) {
  // Each request in turn is the first that fails, and so do all after it.
  for (unsigned good = 1; good < 30; ++good) {
    Registry registry;
    options_.tries = 1;
    unsigned seen = 0;
    std::mutex mutex;
    registry.set_fault([&](const Request&) -> std::optional<Response> {
      const std::lock_guard lock(mutex);
      if (++seen <= good) return {};
      return Response{.hang_up = true};
    });
    Blobs blobs;
    const oci::Descriptor blob = blobs.add(big_text(250'000));
    const auto work = [&]() -> Result<void> {
      const auto destination = TRY(open_destination(reference_to(registry.place(), "t"), options_));
      TRY(destination->copy_blob(blobs, blob));
      const auto image = TRY(destination->put_document(as_bytes("{\"a\":1}"), oci::kManifestType));
      TRY(destination->put_image(image, {}));
      return destination->commit();
    };
    const bool done = work().has_value();
    EXPECT_EQ(done, registry.manifest("t").has_value()) << good;
    if (registry.manifest("t")) {
      EXPECT_TRUE(registry.blob(blob.digest.to_string())) << good;
    }
    if (done) return;
  }
  FAIL() << "never succeeded";
}

TEST_F(RegistryDestinationTest, RefusesWhatTheServerClaimsToHave) {
  registry_.set_fault([](const Request& request) -> std::optional<Response> {
    if (request.method != "PATCH") return {};
    return Response{.status = 202,
                    .headers = {{"Location", request.target}, {"Range", "0-99999999"}}};
  });
  EXPECT_EQ(push(big_text(350'000)).error().kind(), ErrorKind::malformed);
  // One that never gets anywhere is given up.
  registry_.set_fault([](const Request& request) -> std::optional<Response> {
    if (request.method != "PATCH") return {};
    return Response{.status = 500};
  });
  EXPECT_FALSE(push(big_text(350'000)));
  EXPECT_FALSE(registry_.manifest("t"));
}

TEST_F(RegistryDestinationTest, WaitsForBlobsThatTheServerDoesNotSeeYet) {
  unsigned refusals = 2;
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.method != "PUT" || request.target.find("/manifests/") == std::string::npos ||
        refusals == 0)
      return {};
    --refusals;
    return Response{.status = 404,
                    .body = R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"m"}]})"};
  });
  EXPECT_TRUE(push("layer"));
}

TEST_F(RegistryDestinationTest, MountsFromAnotherRepository) {
  registry_.supports_mount = true;
  const std::string layer = "layer of another repository";
  const oci::Descriptor blob = oci::describe(oci::kLayerType, as_bytes(layer));
  // Both repositories of the fake have the same blobs, so that the first look has to fail.
  registry_.add_blob(layer);
  registry_.set_fault([](const Request& request) -> std::optional<Response> {
    if (request.method == "HEAD") return Response{.status = 404};
    return {};
  });
  const auto source =
      open_source(reference_to(registry_.server().host() + "/other/app", "t"), {}, options_);
  const auto destination = open_destination(reference_to(registry_.place(), "t"), options_);
  ASSERT_TRUE(source && destination);
  EXPECT_TRUE((*destination)->take_blob(**source, blob).value());
  const Request mount = registry_.server().requests().back();
  EXPECT_EQ(mount.query("mount"), blob.digest.to_string());
  EXPECT_EQ(mount.query("from"), "other/app");
  registry_.supports_mount = false;
  const oci::Descriptor second = oci::describe(oci::kLayerType, as_bytes("second"));
  EXPECT_FALSE((*destination)->take_blob(**source, second).value());
  EXPECT_EQ(registry_.server().requests().back().method, "DELETE");
}

TEST_F(RegistryDestinationTest, EntersReferrersWhereTheServerDoesNot) {
  for (const bool has_api : {false, true}) {
    Registry registry;
    registry.has_referrers = has_api;
    const std::string subject = digest_of("subject");
    const auto push_referrer = [&](const std::string& type) -> Result<Digest> {
      const auto destination = TRY(open_destination(reference_to(registry.place(), "r"), options_));
      const auto descriptor = TRY(destination->put_document(
          as_bytes(R"({"schemaVersion":2,"artifactType":")" + type +
                   R"(","annotations":{"k":"v"},"subject":{"digest":")" + subject + "\"}}"),
          oci::kManifestType));
      TRY(destination->commit());
      return descriptor.digest;
    };
    const auto one = push_referrer("a/one"), two = push_referrer("a/two");
    ASSERT_TRUE(one && two);
    ASSERT_TRUE(push_referrer("a/two"));  // a second time it is there
    const auto list = registry.manifest("sha256-" + subject.substr(7));
    ASSERT_EQ(list.has_value(), !has_api);
    if (!list) continue;
    const auto index = oci::parse_index(as_bytes(*list), oci::kIndexType);
    ASSERT_TRUE(index) << index.error().message();
    ASSERT_EQ(index->manifests.size(), 2u);
    EXPECT_EQ(index->manifests[0].digest, *one);
    EXPECT_EQ(index->manifests[0].artifact_type, "a/one");
    EXPECT_EQ(index->manifests[0].annotation("k"), "v");
    EXPECT_EQ(index->manifests[1].digest, *two);
  }
}

}  // namespace
}  // namespace intact::registry
