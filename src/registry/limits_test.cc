// What a hostile or slow registry may cost: time and bytes.
#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_image.h"

namespace intact::registry {
namespace {

using namespace test;
using std::chrono::milliseconds;
using testing::HasSubstr;

class RegistryLimitsTest : public testing::Test {
 protected:
  Result<std::vector<std::string>> tags() {
    return list_tags(reference_to(registry_.place(), ""), options_);
  }
  /// Answers requests whose target contains `part`.
  void answer(const std::string& part, std::function<Response(const Request&)> make) {
    registry_.set_fault(
        [part, make = std::move(make)](const Request& request) -> std::optional<Response> {
          if (request.target.find(part) == std::string::npos) return {};
          return make(request);
        });
  }
  Result<std::string> fetch(const std::string& layer) {
    const auto source = TRY(open_source(reference_to(registry_.place(), "t"), {}, options_));
    const auto stream = TRY(source->open_blob(oci::describe(oci::kLayerType, as_bytes(layer))));
    Bytes bytes(layer.size());
    TRY(read_fully(*stream, bytes));
    return std::string(as_text(bytes));
  }
  /// The page after which another one follows, up to the `last`.
  Response page(std::size_t last) {
    const std::size_t n = ++pages_;
    Response response{.body = R"({"tags":["a"]})"};
    if (n != last)
      response.headers = {
          {"Link", "</v2/team/app/tags/list?last=" + std::to_string(n) + ">; rel=\"next\""}};
    return response;
  }

  std::atomic<std::size_t> pages_ = 0;
  Registry registry_;
  Options options_ = test_options();
};

TEST_F(RegistryLimitsTest, PagesOfAList) {
  options_.pages = 20;
  answer("/tags/list", [&](const Request&) { return page(20); });
  EXPECT_EQ(tags().value().size(), 20u);
  pages_ = 0;
  answer("/tags/list", [&](const Request&) { return page(0); });
  const auto endless = tags();
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().kind(), ErrorKind::limit);
  EXPECT_THAT(endless.error().message(), HasSubstr("list of tags: more than 20 pages"));
  EXPECT_EQ(pages_, 20u);
}

TEST_F(RegistryLimitsTest, BytesOfAList) {
  const std::string body = R"({"tags":[],"x":")" + std::string(3 * 1024 * 1024, 'x') + "\"}";
  const auto serve = [&](std::size_t last) {
    pages_ = 0;
    answer("/tags/list", [&, last](const Request&) {
      Response response = page(last);
      response.body = body;
      return response;
    });
    return tags();
  };
  options_.document_timeout = std::chrono::minutes(5);  // a sanitizer takes long for so much
  EXPECT_TRUE(serve(10));
  const auto large = serve(0);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind(), ErrorKind::limit);
  EXPECT_THAT(large.error().message(), HasSubstr("list of tags: more than 33554432 bytes in all"));
}

TEST_F(RegistryLimitsTest, TimeOfAList) {
  options_.document_timeout = std::chrono::seconds(3);
  const auto serve = [&](std::size_t last) {
    pages_ = 0;
    answer("/tags/list", [&, last](const Request&) {
      std::this_thread::sleep_for(milliseconds(200));
      return page(last);
    });
    return tags();
  };
  EXPECT_TRUE(serve(2));
  const auto slow = serve(0);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().kind(), ErrorKind::io);
  EXPECT_THAT(slow.error().message(), HasSubstr("list of tags: not complete within 3 seconds"));
}

TEST_F(RegistryLimitsTest, PagesOfAListOfReferrers) {
  options_.pages = 5;
  const Image image = make_image(registry_, "layer");
  answer("/referrers/", [&](const Request&) {
    Response response{.headers = {{"Link", "</v2/team/app/referrers/x?page=" +
                                               std::to_string(++pages_) + ">; rel=\"next\""}}};
    response.body = R"({"schemaVersion":2,"mediaType":")" + std::string(oci::kIndexType) +
                    R"(","manifests":[]})";
    return response;
  });
  const auto source = open_source(reference_to(registry_.place(), "t"), {}, options_).value();
  const auto found = source->referrers(crypto::sha256(as_bytes(image.manifest)));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind(), ErrorKind::limit);
  EXPECT_THAT(found.error().message(), HasSubstr("list of referrers: more than 5 pages"));
}

TEST_F(RegistryLimitsTest, SpeedOfABlob) {
  const std::string layer(200, 'x');
  make_image(registry_, layer);
  // Always more than the least that counts as a sign of life, for a second and more.
  answer("/blobs/",
         [&](const Request&) { return Response{.body = layer, .drip = milliseconds(5)}; });
  options_.patience = milliseconds(60'000);
  EXPECT_EQ(fetch(layer).value(), layer);
  options_.patience = milliseconds(300);
  const auto slow = fetch(layer);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().kind(), ErrorKind::io);
  EXPECT_THAT(slow.error().message(), HasSubstr("too slow: "));
  EXPECT_THAT(slow.error().message(), HasSubstr(registry_.place()));
  // What it needs is what its bytes need.
  options_.least_rate = 10;
  EXPECT_EQ(fetch(layer).value(), layer);
}

TEST_F(RegistryLimitsTest, WaitsForAServerThatAsksForThem) {
  make_image(registry_, "layer");
  std::atomic<unsigned> refusals = 1;
  answer("/manifests/", [&](const Request&) -> Response {
    if (refusals-- > 0) return {.status = 429, .headers = {{"Retry-After", "1"}}};
    return {.status = 404};
  });
  const auto resolve = [&] {
    return open_source(reference_to(registry_.place(), "t"), {}, options_)
        .value()
        ->resolve("t", kAmd64);
  };
  EXPECT_EQ(resolve().error().kind(), ErrorKind::not_found);
  refusals = 1000;
  options_.patience = milliseconds(1500);
  // Bounds that only waiting as long as the server wants would miss.
  const auto start = std::chrono::steady_clock::now();
  const auto busy = resolve();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(1));
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind(), ErrorKind::busy);
  EXPECT_THAT(busy.error().message(), HasSubstr("try again later"));
  // Hours are not waited for.
  answer("/manifests/", [&](const Request&) -> Response {
    return {.status = 503, .headers = {{"Retry-After", "86400"}}};
  });
  EXPECT_EQ(resolve().error().kind(), ErrorKind::io);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(2));
}

TEST_F(RegistryLimitsTest, RepeatsOfABlob) {
  // Each answer is from the start and brings one byte that is new.
  const std::string layer = big_text(200);
  make_image(registry_, layer);
  std::atomic<std::size_t> answers = 0;
  options_.tries = 1000;
  options_.retry_delay = milliseconds(0);
  answer("/blobs/",
         [&](const Request&) { return Response{.body = layer, .cut = 100 + answers++ / 4}; });
  const auto again = fetch(layer);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::io);
  EXPECT_THAT(again.error().message(), HasSubstr("sends everything from the start"));
}

TEST_F(RegistryLimitsTest, BytesOfAnUpload) {
  options_.chunk = 64 * 1024;
  const std::string layer = big_text(300'000);
  const auto push = [&]() -> Result<void> {
    const auto to = TRY(open_destination(reference_to(registry_.place(), "new"), options_));
    auto blob = TRY(to->new_blob());
    TRY(blob->write(as_bytes(layer)));
    TRY(blob->finish(oci::kLayerType));
    return to->commit();
  };
  std::atomic<std::size_t> kept = 0;
  answer("/uploads/1", [&](const Request& request) -> Response {
    if (request.method != "PATCH") return {.status = 404};
    return {.status = 202,
            .headers = {{"Location", request.target}, {"Range", "0-" + std::to_string(++kept)}}};
  });
  const auto pushed = push();
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().kind(), ErrorKind::io);
  EXPECT_THAT(pushed.error().message(), HasSubstr("keeps too little of what it is sent"));
  registry_.set_fault({});
  EXPECT_TRUE(push());
}

}  // namespace
}  // namespace intact::registry
