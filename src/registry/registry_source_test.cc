#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/oci/blob_copy.h>
#include <intact/oci/media_types.h>
#include <intact/registry/registry.h>

#include "test_image.h"

namespace intact::registry {
namespace {

using namespace test;
using testing::HasSubstr;

class RegistrySourceTest : public testing::Test {
 protected:
  Result<std::unique_ptr<oci::ImageSource>> open(const std::string& tag = "t",
                                                 std::optional<Digest> digest = {}) {
    oci::Reference reference = reference_to(registry_.place(), tag);
    reference.digest = digest;
    return open_source(reference, {}, options_);
  }
  oci::Descriptor layer_of(const std::string& bytes) {
    return oci::describe(oci::kLayerType, as_bytes(bytes));
  }
  /// The bytes of the blob as they arrive, hashed.
  Result<std::string> fetch(const std::string& bytes) {
    const auto source = TRY(open());
    const oci::Descriptor layer = layer_of(bytes);
    std::string text;
    const auto stored = TRY(source->open_blob(layer));
    TRY(oci::read_hashed(*stored, layer, [&](ByteSpan piece) -> Result<void> {
      text += as_text(piece);
      return {};
    }));
    return text;
  }

  Registry registry_;
  Options options_ = test_options();
};

TEST_F(RegistrySourceTest, ReadsAnImageByTagAndByDigest) {
  const Image image = make_image(registry_, "layer");
  const auto by_tag = open().value()->resolve("t", kAmd64);
  ASSERT_TRUE(by_tag) << by_tag.error().message();
  EXPECT_EQ(by_tag->digest.to_string(), digest_of(image.manifest));
  const auto source = open("", by_tag->digest).value();
  const auto found = source->resolve("", kAmd64);
  ASSERT_TRUE(found) << found.error().message();
  const auto documents = oci::read_image(*source, *found);
  ASSERT_TRUE(documents) << documents.error().message();
  EXPECT_EQ(as_text(documents->config_bytes), image.config);
  EXPECT_EQ(fetch("layer").value(), "layer");
  EXPECT_EQ(open("other").value()->resolve("other", kAmd64).error().kind(), ErrorKind::not_found);
  EXPECT_EQ(fetch("no such layer").error().kind(), ErrorKind::not_found);
}

TEST_F(RegistrySourceTest, ChoosesThePlatformInAnIndex) {
  const Image image = make_image(registry_, "layer", "");
  const std::string index = R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kIndexType) +
                            R"(","manifests":[)" +
                            descriptor(std::string(oci::kManifestType), image.manifest,
                                       R"(,"platform":{"os":"linux","architecture":"amd64"})") +
                            "]}";
  registry_.add_manifest(index, "t", std::string(oci::kIndexType));
  const auto source = open().value();
  EXPECT_EQ(source->resolve("t", kAmd64)->digest.to_string(), digest_of(image.manifest));
  EXPECT_EQ(source->find("t")->digest.to_string(), digest_of(index));
  EXPECT_EQ(source->resolve("t", {"linux", "s390x", ""}).error().kind(), ErrorKind::unsupported);
}

TEST_F(RegistrySourceTest, GoesOnWhereTheConnectionBroke) {
  const std::string layer = big_text(3'000'000);
  make_image(registry_, layer);
  std::atomic<unsigned> cuts{0};
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/" + digest_of(layer)) == std::string::npos || cuts == 3)
      return {};
    ++cuts;
    const std::string range = request.header("range");
    const std::size_t first = range.empty() ? 0 : std::stoul(range.substr(6));
    Response response{.status = range.empty() ? 200 : 206, .body = layer.substr(first)};
    if (!range.empty())
      response.headers = {{"Content-Range", "bytes " + std::to_string(first) + "-" +
                                                std::to_string(layer.size() - 1) + "/*"}};
    response.cut = 700'000;
    return response;
  });
  EXPECT_TRUE(fetch(layer).value() == layer);
  EXPECT_EQ(registry_.server().count("GET", "/blobs/" + digest_of(layer)), 4u);
  EXPECT_EQ(cuts, 3u);
}

TEST_F(RegistrySourceTest, ReadsAgainWhereRangesAreIgnored) {
  const std::string layer = big_text(500'000);
  make_image(registry_, layer);
  std::atomic<unsigned> answers{0};
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/") == std::string::npos) return {};
    Response response{.body = layer};
    if (answers++ == 0) response.cut = 200'000;
    return response;
  });
  EXPECT_TRUE(fetch(layer).value() == layer);
  EXPECT_EQ(answers, 2u);
}

TEST_F(RegistrySourceTest, RefusesWrongBytes) {
  const std::string layer = big_text(100'000);
  make_image(registry_, layer);
  const auto with = [&](Response response) {
    registry_.set_fault([response](const Request& request) -> std::optional<Response> {
      if (request.target.find("/blobs/") == std::string::npos) return {};
      return response;
    });
    return fetch(layer);
  };
  EXPECT_TRUE(with({.body = layer}).value() == layer);
  std::string other = layer;
  other[50'000] ^= 1;
  EXPECT_EQ(with({.body = other}).error().kind(), ErrorKind::tampered);
  EXPECT_EQ(with({.body = layer + "x"}).error().kind(), ErrorKind::tampered);
  EXPECT_EQ(with({.body = layer.substr(1)}).error().kind(), ErrorKind::tampered);
  // A body without an end is not read to it.
  EXPECT_EQ(with({.body = layer, .endless = true}).error().kind(), ErrorKind::tampered);
  // Another range than the one that was asked for.
  std::atomic<unsigned> answers{0};
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/") == std::string::npos) return {};
    if (answers++ == 0) return Response{.body = layer, .cut = 10};
    return Response{
        .status = 206, .headers = {{"Content-Range", "bytes 0-99999/100000"}}, .body = layer};
  });
  const auto shifted = fetch(layer);
  ASSERT_FALSE(shifted);
  EXPECT_EQ(shifted.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(shifted.error().message(), HasSubstr("another part"));
}

TEST_F(RegistrySourceTest, RefusesAnotherManifestThanItAskedFor) {
  const Image image = make_image(registry_, "layer");
  const Digest digest = crypto::sha256(as_bytes(image.manifest));
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/manifests/") == std::string::npos) return {};
    return Response{.headers = {{"Content-Type", std::string(oci::kManifestType)},
                                {"Docker-Content-Digest", digest.to_string()}},
                    .body = image.manifest + " "};
  });
  EXPECT_EQ(open("", digest).value()->resolve("", kAmd64).error().kind(), ErrorKind::tampered);
  // By its tag it is another image, and that is what it is called.
  EXPECT_NE(open().value()->resolve("t", kAmd64)->digest, digest);
}

TEST_F(RegistrySourceTest, BoundsDocuments) {
  const auto with = [&](Response response) -> Result<oci::ImageDocuments> {
    registry_.set_fault([response](const Request& request) -> std::optional<Response> {
      if (request.target.find("/manifests/") == std::string::npos) return {};
      return response;
    });
    const auto source = open().value();
    return oci::read_image(*source, TRY(source->resolve("t", kAmd64)));
  };
  const std::pair<std::string, std::string> type{"Content-Type", std::string(oci::kManifestType)};
  EXPECT_EQ(
      with({.headers = {type}, .body = std::string(1 << 16, ' '), .endless = true}).error().kind(),
      ErrorKind::limit);
  const std::string deep = std::string(100'000, '[');
  EXPECT_FALSE(with({.headers = {type}, .body = deep}));
  const auto page = with({.headers = {{"Content-Type", "text/html"}}, .body = "<html>"});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(page.error().message(), HasSubstr("text/html"));
  EXPECT_EQ(with({.headers = {{"X", std::string(100'000, 'x')}}}).error().kind(), ErrorKind::limit);
}

TEST_F(RegistrySourceTest, WaitsWhenItIsAskedTo) {
  make_image(registry_, "layer");
  unsigned refusals = 2;
  int status = 429;
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target == "/v2/" || refusals == 0) return {};
    --refusals;
    return Response{.status = status, .headers = {{"Retry-After", "0"}}};
  });
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  refusals = 2;
  status = 503;
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  refusals = 1000;
  status = 429;
  const auto busy = open().value()->resolve("t", kAmd64);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind(), ErrorKind::busy);
  EXPECT_THAT(busy.error().message(), HasSubstr("try again later"));
}

TEST_F(RegistrySourceTest, EndsWhenNothingArrives) {
  make_image(registry_, "layer");
  options_.tries = 1;
  options_.stall_timeout = std::chrono::seconds(1);
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/") == std::string::npos) return {};
    return Response{.body = std::string(100, 'x'), .drip = std::chrono::milliseconds(100)};
  });
  const auto slow = fetch(std::string(100, 'x'));
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().kind(), ErrorKind::io);
}

TEST_F(RegistrySourceTest, FollowsRedirectsWithoutCredentials) {
  const std::string layer = big_text(10'000);
  make_image(registry_, layer);
  unsigned expired = 1;
  Server storage([&](const Request& request) -> Response {
    if (request.target != "/fresh") return {.status = 403};
    return {.body = layer};
  });
  options_.credentials.auth_file.clear();
  options_.credentials.credential = std::make_shared<const Credential>(
      Credential{.user = "u", .password = crypto::Secret::copy_of(as_bytes("secret"))});
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target == "/v2/") return {};
    if (request.header("authorization").empty())
      return Response{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"r\""}}};
    if (request.target.find("/blobs/") == std::string::npos) return {};
    const bool stale = expired != 0;
    if (stale) --expired;
    return Response{
        .status = 307,
        .headers = {{"Location", "http://" + storage.host() + (stale ? "/stale" : "/fresh")}}};
  });
  EXPECT_TRUE(fetch(layer).value() == layer);
  ASSERT_EQ(storage.requests().size(), 2u);
  for (const Request& request : storage.requests()) EXPECT_EQ(request.header("authorization"), "");
}

TEST_F(RegistrySourceTest, RefusesRedirectsToOtherProtocolsAndCircles) {
  make_image(registry_, "layer");
  const auto to = [&](const std::string& location) {
    registry_.set_fault([location](const Request& request) -> std::optional<Response> {
      if (request.target.find("/blobs/") == std::string::npos) return {};
      return Response{.status = 302, .headers = {{"Location", location}}};
    });
    return fetch("layer").error().kind();
  };
  EXPECT_EQ(to("file:///etc/passwd"), ErrorKind::unsupported);
  EXPECT_EQ(to("ftp://127.0.0.1/x"), ErrorKind::unsupported);
  EXPECT_EQ(to("gopher://127.0.0.1/x"), ErrorKind::unsupported);
  EXPECT_EQ(to("http://user@127.0.0.1/x"), ErrorKind::malformed);
  EXPECT_EQ(to("/v2/team/app/blobs/x"), ErrorKind::limit);
}

TEST_F(RegistrySourceTest, MergesBothListsOfReferrersAndBelievesNeither) {
  const Image image = make_image(registry_, "layer");
  const Digest subject = crypto::sha256(as_bytes(image.manifest));
  const auto referrer = [&](const std::string& type, const std::string& of) {
    const std::string bytes =
        R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kManifestType) +
        R"(","artifactType":")" + type + R"(","config":{"mediaType":"c","size":2,"digest":")" +
        digest_of("{}") + R"("},"layers":[],"subject":{"mediaType":"m","size":1,"digest":")" + of +
        "\"}}";
    registry_.add_manifest(bytes);
    return bytes;
  };
  const std::string api = referrer("a/api", subject.to_string());
  const std::string tag = referrer("a/tag", subject.to_string());
  const std::string other = referrer("a/other", digest_of("other"));
  const auto list = [&](const std::vector<std::string>& entries) {
    std::string all;
    for (const std::string& entry : entries)
      all += (all.empty() ? "" : ",") +
             descriptor(std::string(oci::kManifestType), entry, R"(,"artifactType":"a/lie")");
    return R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kIndexType) +
           R"(","manifests":[)" + all + "]}";
  };
  registry_.add_manifest(list({tag, other, "gone"}), "sha256-" + subject.hex(),
                         std::string(oci::kIndexType));
  Response first{.headers = {{"Content-Type", std::string(oci::kIndexType)},
                             {"Link", "</v2/team/app/referrers/" + subject.to_string() +
                                          "?page=2>; rel=\"next\""}},
                 .body = list({other})};
  const Response second{.body = list({api})};
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/referrers/") == std::string::npos) return {};
    return request.target.find("page=2") == std::string::npos ? first : second;
  });
  const auto found = open().value()->referrers(subject);
  ASSERT_TRUE(found) << found.error().message();
  std::vector<std::string> types;
  for (const oci::Descriptor& one : *found) types.push_back(one.artifact_type);
  EXPECT_THAT(types, testing::UnorderedElementsAre("a/api", "a/tag"));

  // A list that fails is an error.
  for (const int status : {401, 403, 500}) {
    first = {.status = status};
    EXPECT_FALSE(open().value()->referrers(subject)) << status;
  }
  first = {.headers = {{"Content-Type", "text/html"}}, .body = "<html>"};
  EXPECT_EQ(open().value()->referrers(subject).error().kind(), ErrorKind::malformed);
  // Pages in a circle, and one on another host.
  first = {.headers = {{"Link", "</v2/team/app/referrers/x?page=1>; rel=\"next\""}},
           .body = list({})};
  EXPECT_EQ(open().value()->referrers(subject).error().kind(), ErrorKind::malformed);
  first = {.headers = {{"Link", "<https://example.com/x>; rel=\"next\""}}, .body = list({})};
  EXPECT_EQ(open().value()->referrers(subject).error().kind(), ErrorKind::untrusted);
}

TEST_F(RegistrySourceTest, ListsTagsPageByPage) {
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/tags/list") == std::string::npos) return {};
    if (request.query("last").empty())
      return Response{.headers = {{"Link", "</v2/team/app/tags/list?n=2&last=b>; rel=\"next\""}},
                      .body = R"({"name":"team/app","tags":["a","b"]})"};
    return Response{.body = R"({"name":"team/app","tags":["c"]})"};
  });
  const auto tags = list_tags(reference_to(registry_.place(), ""), options_);
  ASSERT_TRUE(tags) << tags.error().message();
  EXPECT_EQ(*tags, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(RegistrySourceTest, AsksMirrorsFirst) {
  const Image image = make_image(registry_, "layer");
  Registry mirror;
  make_image(mirror, "layer");
  const TempDir dir = TempDir::create().value();
  const auto write = [&](const std::string& more) {
    const std::string text = "[[registry]]\nprefix = \"" + registry_.place() + "\"\n" + more;
    ASSERT_TRUE(write_file_durably(dir.path("r.conf"), as_bytes(text), 0600));
  };
  options_.registries_conf = dir.path("r.conf");
  const std::string location = "location = \"" + mirror.server().host() + "/team/app\"\n";
  write("[[registry.mirror]]\n" + location);
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  EXPECT_EQ(registry_.server().requests().size(), 0u);
  // The registry is asked where a mirror fails.
  mirror.set_fault([](const Request&) { return Response{.status = 500}; });
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  EXPECT_GT(registry_.server().requests().size(), 0u);
  mirror.set_fault({});
  const std::size_t before = mirror.server().requests().size();
  write("mirror-by-digest-only = true\n[[registry.mirror]]\n" + location);
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  EXPECT_EQ(mirror.server().requests().size(), before);
  EXPECT_TRUE(open("", crypto::sha256(as_bytes(image.manifest))).value()->resolve("", kAmd64));
  EXPECT_GT(mirror.server().requests().size(), before);
  write("blocked = true\n");
  EXPECT_EQ(open().error().kind(), ErrorKind::untrusted);
}

/// registries.conf with one [[registry]] for the place of `registry_`.
class RegistryPlacesTest : public RegistrySourceTest {
 protected:
  RegistryPlacesTest() { options_.registries_conf = dir_.path("r.conf"); }

  void configure(const std::string& more) {
    const std::string text = "[[registry]]\nprefix = \"" + registry_.place() + "\"\n" + more;
    ASSERT_TRUE(write_file_durably(options_.registries_conf, as_bytes(text), 0600));
  }
  static std::string location(Registry& registry) {
    return "location = \"" + registry.place() + "\"\n";
  }
  static void damage(Registry& registry, const std::string& layer) {
    registry.set_fault([layer](const Request& request) -> std::optional<Response> {
      if (request.target.find("/blobs/") == std::string::npos) return {};
      std::string other = layer;
      other.back() ^= 1;
      return Response{.body = other};
    });
  }

  TempDir dir_ = TempDir::create().value();
  Registry mirror_;
};

TEST_F(RegistryPlacesTest, GiveNoHostTheCredentialsOfAnother) {
  make_image(registry_, "layer");
  make_image(mirror_, "layer");
  options_.credentials.auth_file = dir_.path("auth.json");
  // "user:secret", for the registry that is named.
  const std::string auth =
      R"({"auths":{")" + registry_.server().host() + R"(":{"auth":"dXNlcjpzZWNyZXQ="}}})";
  ASSERT_TRUE(write_file_durably(options_.credentials.auth_file, as_bytes(auth), 0600));
  const auto ask = [](const Request& request) -> std::optional<Response> {
    if (request.target == "/v2/" || !request.header("authorization").empty()) return {};
    return Response{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"r\""}}};
  };
  registry_.set_fault(ask);
  mirror_.set_fault(ask);
  configure("");
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  const auto last = registry_.server().requests().back();
  EXPECT_EQ(last.header("authorization"), "Basic dXNlcjpzZWNyZXQ=");
  // Another place instead of it, and one before it.
  configure(location(mirror_));
  const auto moved = open().value()->resolve("t", kAmd64);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().kind(), ErrorKind::bad_secret);
  EXPECT_THAT(moved.error().message(), HasSubstr("asks for a user and a password"));
  configure("[[registry.mirror]]\n" + location(mirror_));
  EXPECT_TRUE(open().value()->resolve("t", kAmd64));
  ASSERT_FALSE(mirror_.server().requests().empty());
  for (const Request& request : mirror_.server().requests())
    EXPECT_EQ(request.header("authorization"), "");
}

TEST_F(RegistryPlacesTest, AreAskedInTurnForBytesThatAreRight) {
  const Image image = make_image(registry_, big_text(100'000));
  make_image(mirror_, image.layer);
  configure("[[registry.mirror]]\n" + location(mirror_));
  const oci::Descriptor layer = layer_of(image.layer);
  const auto read = [&](const oci::ImageSource& source) -> Result<std::string> {
    std::string text;
    TRY(oci::read_from_places(source, layer, [&](ByteStream& stored) {
      text.clear();
      return oci::read_hashed(stored, layer, [&](ByteSpan piece) -> Result<void> {
        text += as_text(piece);
        return {};
      });
    }));
    return text;
  };
  EXPECT_EQ(read(*open().value()).value(), image.layer);
  EXPECT_EQ(registry_.server().count("GET", "/blobs/"), 0u);
  damage(mirror_, image.layer);
  EXPECT_EQ(read(*open().value()).value(), image.layer);
  EXPECT_EQ(registry_.server().count("GET", "/blobs/"), 1u);
  // One that breaks off.
  mirror_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/") == std::string::npos) return {};
    return Response{.body = image.layer, .cut = 10};
  });
  EXPECT_EQ(read(*open().value()).value(), image.layer);
  // All of them are wrong: the last is named; or the last has nothing, and the one before is named.
  damage(mirror_, image.layer);
  damage(registry_, image.layer);
  auto wrong = read(*open().value());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(wrong.error().message(), HasSubstr(registry_.place()));
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/") == std::string::npos) return {};
    return Response{.status = 404};
  });
  wrong = read(*open().value());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(wrong.error().message(), HasSubstr(mirror_.place() + ": has other bytes as sha256:"));
}

TEST_F(RegistryPlacesTest, AreAskedInTurnForDocumentsThatAreRight) {
  const Image image = make_image(registry_, "layer");
  make_image(mirror_, "layer");
  configure("[[registry.mirror]]\n" + location(mirror_));
  mirror_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target == "/v2/") return {};
    return Response{.headers = {{"Content-Type", std::string(oci::kManifestType)}},
                    .body = image.manifest + " "};
  });
  const auto source = open("", crypto::sha256(as_bytes(image.manifest))).value();
  const auto found = source->resolve("", kAmd64);
  ASSERT_TRUE(found) << found.error().message();
  const auto documents = oci::read_image(*source, *found);
  ASSERT_TRUE(documents) << documents.error().message();
  EXPECT_EQ(as_text(documents->config_bytes), image.config);
}

}  // namespace
}  // namespace intact::registry
