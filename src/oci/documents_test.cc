#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/oci/config.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>

namespace intact::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string descriptor(std::string_view type, const std::string& digest = kDigest,
                       const std::string& size = "3", const std::string& more = {}) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + digest + R"(","size":)" +
         size + more + "}";
}

std::string manifest(const std::string& more = {},
                     const std::string& config = descriptor(kConfigType),
                     const std::string& layers = descriptor(kLayerGzipType)) {
  return R"({"schemaVersion":2,"config":)" + config + R"(,"layers":[)" + layers + "]" + more + "}";
}

Result<Manifest> parse(const std::string& text, std::string_view type = kManifestType) {
  return parse_manifest(as_bytes(text), type);
}

TEST(Manifest, ParsesAndKeepsWhatItDoesNotKnow) {
  const std::string text = R"({"schemaVersion":2,"x":{"b":1,"a":2},"mediaType":")" +
                           std::string(kManifestType) + R"(","config":)" + descriptor(kConfigType) +
                           R"(,"layers":[)" +
                           descriptor(kLayerType, kDigest, "7", R"(,"urls":["https://x"])") +
                           R"(],"annotations":{"k":"v"}})";
  const auto m = parse(text);
  ASSERT_TRUE(m) << m.error().message();
  EXPECT_EQ(m->config.digest.to_string(), kDigest);
  EXPECT_EQ(m->layers.at(0).size, 7u);
  EXPECT_EQ(m->annotations.at("k"), "v");
  EXPECT_TRUE(check_is_image(*m));
  EXPECT_EQ(as_text(encode_manifest(*m)), text);
}

TEST(Manifest, RefusesWhatCouldBeReadAsSomethingElse) {
  EXPECT_TRUE(parse(manifest()));
  EXPECT_TRUE(parse(manifest(), ""));
  EXPECT_TRUE(parse(manifest(), kDockerManifestType));
  const std::string stated = R"(,"mediaType":")" + std::string(kManifestType) + "\"";
  EXPECT_TRUE(parse(manifest(stated)));
  EXPECT_EQ(parse(manifest(stated), kDockerManifestType).error().kind(), ErrorKind::malformed);
  for (const std::string& text :
       {manifest(R"(,"manifests":[])"), manifest(R"(,"manifests":null)"),
        manifest(R"(,"fsLayers":[])"), manifest(R"(,"layers":[])"),
        manifest(R"(,"mediaType":")" + std::string(kIndexType) + "\""), std::string("{}"),
        std::string("[]"), std::string(R"({"schemaVersion":2})"),
        std::string(R"({"schemaVersion":"2","config":{},"layers":[]})")})
    EXPECT_EQ(parse(text, "").error().kind(), ErrorKind::malformed) << text;
  EXPECT_EQ(parse(R"({"schemaVersion":1,"fsLayers":[]})", "").error().kind(),
            ErrorKind::unsupported);
}

TEST(Manifest, ChecksDescriptors) {
  const auto with_layer = [](const std::string& layer) {
    return parse(manifest({}, descriptor(kConfigType), layer));
  };
  EXPECT_TRUE(with_layer(descriptor(kLayerType)));
  EXPECT_TRUE(with_layer(descriptor(kLayerType, "sha512:" + std::string(128, '0'))));
  for (const std::string& digest :
       {std::string("sha256:"), "sha256:" + std::string(64, 'A'), "sha256:" + std::string(63, 'a'),
        std::string("sha256:../../../../etc/passwd"), std::string("sha256/x:aa"),
        std::string(64, 'a')})
    EXPECT_EQ(with_layer(descriptor(kLayerType, digest)).error().kind(), ErrorKind::malformed)
        << digest;
  EXPECT_EQ(with_layer(descriptor(kLayerType, "md5:" + std::string(32, 'a'))).error().kind(),
            ErrorKind::unsupported);
  for (const char* size : {"-1", "1.5", "\"3\"", "9223372036854775808", "null"})
    EXPECT_EQ(with_layer(descriptor(kLayerType, kDigest, size)).error().kind(),
              ErrorKind::malformed)
        << size;
  EXPECT_EQ(with_layer(R"({"digest":")" + kDigest + R"(","size":1})").error().kind(),
            ErrorKind::malformed);
  EXPECT_EQ(
      with_layer(descriptor(kLayerType, kDigest, "3", R"(,"annotations":{"a":1})")).error().kind(),
      ErrorKind::malformed);
  // Inline data must be what the digest says.
  const std::string empty =
      "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
  EXPECT_TRUE(with_layer(descriptor(kLayerType, empty, "2", R"(,"data":"e30=")")));
  EXPECT_EQ(with_layer(descriptor(kLayerType, empty, "2", R"(,"data":"e3w=")")).error().kind(),
            ErrorKind::tampered);
  EXPECT_EQ(with_layer(descriptor(kLayerType, empty, "2", R"(,"data":"!")")).error().kind(),
            ErrorKind::malformed);
  std::string many = descriptor(kLayerType);
  for (std::size_t i = 1; i < kMaxLayers; ++i) many += "," + descriptor(kLayerType);
  EXPECT_TRUE(with_layer(many));
  EXPECT_EQ(with_layer(many + "," + descriptor(kLayerType)).error().kind(), ErrorKind::limit);
}

TEST(Manifest, OnlyImagesAreImages) {
  EXPECT_TRUE(check_is_image(parse(manifest()).value()));
  const auto docker =
      parse(manifest({}, descriptor("application/vnd.docker.container.image.v1+json"),
                     descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip")));
  EXPECT_TRUE(check_is_image(*docker));
  for (const std::string& text :
       {manifest({}, descriptor(kBuildCacheConfigType)), manifest({}, descriptor(kEmptyType)),
        manifest(R"(,"artifactType":"application/x")", descriptor(kEmptyType)),
        manifest({}, descriptor("application/x")),
        manifest({}, descriptor(kConfigType), descriptor("application/x")),
        manifest({}, descriptor(kConfigType),
                 descriptor(std::string(kLayerGzipType) + "+encrypted"))})
    EXPECT_EQ(check_is_image(parse(text).value()).error().kind(), ErrorKind::unsupported) << text;
  EXPECT_THAT(check_is_image(parse(manifest({}, descriptor(kBuildCacheConfigType))).value())
                  .error()
                  .message(),
              testing::HasSubstr("build cache"));
}

TEST(Index, ParsesAndSetsUnknownDigestsAside) {
  const auto index = [](const std::string& entries, const std::string& more = {}) {
    return parse_index(as_bytes(R"({"schemaVersion":2,"manifests":[)" + entries + "]" + more + "}"),
                       "");
  };
  const auto parsed =
      index(descriptor(kManifestType) + "," + descriptor(kManifestType, "blake3:aa"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->manifests.size(), 1u);
  EXPECT_EQ(parsed->unreadable.size(), 1u);
  EXPECT_TRUE(index(""));
  EXPECT_FALSE(index("", R"(,"layers":[])"));
  EXPECT_FALSE(index("", R"(,"config":{})"));
  EXPECT_FALSE(index("{}"));
  EXPECT_FALSE(index("", R"(,"mediaType":")" + std::string(kManifestType) + "\""));
  EXPECT_FALSE(parse_index(as_bytes(R"({"schemaVersion":2,"manifests":[]})"), kManifestType));
}

std::string config(const std::string& run = "{}", const std::string& type = "layers") {
  return R"({"zzz":[1],"architecture":"amd64","config":)" + run +
         R"(,"os":"linux","rootfs":{"type":")" + type + R"(","diff_ids":[")" + kDigest + R"("]}})";
}

TEST(ImageConfig, Parses) {
  const auto c = parse_config(as_bytes(
      config(R"({"User":"1:2","Env":["A=b"],"Entrypoint":["/e"],"Cmd":null,"WorkingDir":"/w",)"
             R"("Labels":{"l":"v"},"Volumes":{"/v":{}},"StopSignal":"SIGINT"})")));
  ASSERT_TRUE(c) << c.error().message();
  EXPECT_EQ(to_string(c->platform), "linux/amd64");
  EXPECT_EQ(c->diff_ids.at(0).to_string(), kDigest);
  EXPECT_EQ(c->user, "1:2");
  EXPECT_THAT(c->env, testing::ElementsAre("A=b"));
  EXPECT_THAT(c->entrypoint, testing::ElementsAre("/e"));
  EXPECT_THAT(c->cmd, testing::IsEmpty());
  EXPECT_THAT(c->volumes, testing::ElementsAre("/v"));
  EXPECT_EQ(*c->label("l"), "v");
  EXPECT_EQ(c->label("none"), nullptr);
  EXPECT_EQ(c->stop_signal, "SIGINT");
}

TEST(ImageConfig, RefusesWrongTypes) {
  EXPECT_TRUE(parse_config(as_bytes(config())));
  EXPECT_TRUE(parse_config(as_bytes(config("null"))));
  for (const std::string& text :
       {config("[]"), config(R"({"Env":"A=b"})"), config(R"({"Env":[1]})"),
        config(R"({"Env":["A=\u0000b"]})"), config(R"({"Labels":{"a":1}})"),
        config(R"({"User":1000})"), config("{}", "other"), std::string("{}"),
        std::string(R"({"architecture":"a","os":"b"})"),
        std::string(R"({"architecture":"a","os":"b","rootfs":{"type":"layers","diff_ids":[1]}})"),
        config(R"({"User":"a","User":"b"})")})
    EXPECT_EQ(parse_config(as_bytes(text)).error().kind(), ErrorKind::malformed) << text;
}

TEST(ImageConfig, NewLabelsChangeNothingElse) {
  const auto c = parse_config(as_bytes(config(R"({"Labels":{"b":"1","a":"2"},"Foo":{}})")));
  ASSERT_TRUE(c);
  EXPECT_EQ(as_text(encode_with_labels(*c, {{"a", "3"}, {"n", "4"}}).value()),
            config(R"({"Labels":{"b":"1","a":"3","n":"4"},"Foo":{}})"));
  const auto bare = parse_config(as_bytes(config("{}")));
  EXPECT_EQ(as_text(encode_with_labels(*bare, {{"n", "4"}}).value()),
            config(R"({"Labels":{"n":"4"}})"));
}

TEST(ImageConfig, MadeHereReadsBack) {
  const Digest id = Digest::parse(kDigest).value();
  const auto c = parse_config(make_config({"linux", "arm", "v7"}, {id, id}));
  ASSERT_TRUE(c);
  EXPECT_EQ(c->diff_ids.size(), 2u);
  EXPECT_EQ(to_string(c->platform), "linux/arm/v7");
  EXPECT_EQ(check_layer_count(parse(manifest()).value(), *c).error().kind(), ErrorKind::malformed);
  EXPECT_TRUE(check_layer_count(parse(manifest()).value(), *parse_config(as_bytes(config()))));
}

}  // namespace
}  // namespace intact::oci
