#include "layer_fetch.h"

#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/oci/media_types.h>
#include <intact/store/maintenance.h>
#include <intact/store/store.h>

namespace intact::image {
namespace {

using testing::HasSubstr;

/// A registry without one: blobs in memory, which may break off or be wrong, at two places.
class FarSource final : public oci::BlobSource {
 public:
  struct Blob {
    std::string bytes;
    std::size_t breaks_at = std::string::npos;
  };

  class Stream final : public ByteStream {
   public:
    Stream(const FarSource& source, Blob blob, std::size_t offset)
        : source_(source), blob_(std::move(blob)), at_(offset) {}
    Result<std::size_t> read(MutableByteSpan out) override {
      if (source_.slow) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const std::size_t end = std::min(blob_.bytes.size(), blob_.breaks_at);
      if (at_ >= end && end < blob_.bytes.size()) return Error(ErrorKind::io, "broken off");
      const std::size_t n = std::min(out.size(), end - std::min(at_, end));
      std::copy_n(as_bytes(blob_.bytes).begin() + static_cast<std::ptrdiff_t>(at_), n, out.begin());
      at_ += n;
      source_.bytes += n;
      return n;
    }

   private:
    const FarSource& source_;
    Blob blob_;
    std::size_t at_;
  };

  Result<std::unique_ptr<ByteStream>> open_blob(const oci::Descriptor& blob) const override {
    return continue_blob(blob, 0);
  }
  Result<std::unique_ptr<ByteStream>> continue_blob(const oci::Descriptor& blob,
                                                    std::uint64_t offset) const override {
    const auto& place = places.at(std::min(blamed.load(), places.size() - 1));
    const auto found = place.find(blob.digest);
    if (found == place.end())
      return Error(blamed == 0 ? ErrorKind::not_found : ErrorKind::tampered, "no such blob");
    return std::unique_ptr<ByteStream>(std::make_unique<Stream>(*this, found->second, offset));
  }
  unsigned streams() const override { return 3; }
  Blame blame(const oci::Descriptor&) const override {
    const std::size_t n = ++blamed;
    return {"place " + std::to_string(n), n < places.size()};
  }

  std::vector<std::map<Digest, Blob>> places{1};
  bool slow = false;
  mutable std::atomic<std::size_t> blamed = 0;
  mutable std::atomic<std::size_t> bytes = 0;
};

class LayerFetchTest : public testing::Test {
 protected:
  oci::Descriptor add(const std::string& bytes) {
    const oci::Descriptor layer = oci::describe(oci::kLayerType, as_bytes(bytes));
    layers_.push_back(layer);
    contents_.push_back(bytes);
    for (auto& place : source_.places) place[layer.digest] = {bytes};
    return layer;
  }
  static std::string text(std::size_t size, char of) {
    std::string out(size, of);
    for (std::size_t i = 0; i < size; i += 1000) out[i] = static_cast<char>(i / 1000);
    return out;
  }
  /// Stages all layers and reads them in order; nothing is committed.
  Result<void> fetch() {
    const auto transaction = TRY(store::Transaction::begin(*store_));
    std::uint64_t total = 0;
    for (const oci::Descriptor& layer : layers_) total += layer.size;
    std::uint64_t last = 0;
    const ProgressOfSteps progress = [&](std::string_view step, std::uint64_t done,
                                         std::uint64_t of) {
      last = step == "Unpacking" ? done : 0;
      EXPECT_LE(done, of);
    };
    LayerProgress told(progress, total);
    LayerFetch fetch(source_, layers_, *transaction, told);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      auto stream = fetch.open(layers_[i]);
      if (!stream) return Error(fetch.error()->kind(), fetch.error()->message());
      Bytes bytes(contents_[i].size() + 1);
      EXPECT_EQ(TRY(read_fully(**stream, bytes)), contents_[i].size());
      bytes.pop_back();
      EXPECT_TRUE(as_text(bytes) == contents_[i]) << i;
    }
    EXPECT_EQ(last, total);
    return {};
  }

  TempDir dir_ = TempDir::create().value();
  std::unique_ptr<store::Store> store_ = store::Store::open_or_create(dir_.path("store")).value();
  FarSource source_;
  std::vector<oci::Descriptor> layers_;
  std::vector<std::string> contents_;
};

TEST_F(LayerFetchTest, LayersArriveAtOnceAndInOrder) {
  for (const char c : {'a', 'b', 'c', 'd', 'e', 'a'}) add(text(300'000, c));
  add("");
  source_.slow = true;
  const auto start = std::chrono::steady_clock::now();
  const auto done = fetch();
  ASSERT_TRUE(done) << done.error().message();
  // One of each digest.
  EXPECT_EQ(source_.bytes, 5u * 300'000);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(LayerFetchTest, WhatHadArrivedIsUsedByTheNextTry) {
  add(text(2'500'000, 'a'));
  add(text(3'000'000, 'b'));
  source_.places[0][layers_[1].digest].breaks_at = 2'000'000;
  const auto broken = fetch();
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message(), HasSubstr("broken off"));
  EXPECT_THAT(broken.error().message(), HasSubstr(layers_[1].digest.to_string()));
  source_.places[0][layers_[1].digest].breaks_at = std::string::npos;
  source_.blamed = 0;
  const auto done = fetch();
  ASSERT_TRUE(done) << done.error().message();
  // The first layer may have been given up before it was complete.
  EXPECT_EQ(source_.bytes, 5'500'000u);
  // All of it is here now, and is verified again before it is used.
  const std::size_t second = source_.bytes;
  EXPECT_TRUE(fetch());
  EXPECT_EQ(source_.bytes, second);
  // Twin: without what had arrived all of it is fetched.
  ASSERT_TRUE(store::collect_garbage(*store_, false, {}));
  EXPECT_TRUE(fetch());
  EXPECT_EQ(source_.bytes, second + 5'500'000);
}

TEST_F(LayerFetchTest, WrongPartsAreFetchedAgain) {
  const oci::Descriptor layer = add(text(1'500'000, 'a'));
  const std::string part = dir_.path("store/staging/part-sha256-" + layer.digest.hex());
  ASSERT_TRUE(write_file_durably(part, as_bytes(text(500'000, 'x')), 0644));
  const auto done = fetch();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(source_.bytes, 2'500'000u);
  EXPECT_EQ(source_.blamed, 0u);
}

TEST_F(LayerFetchTest, WrongBytesAreAskedForElsewhere) {
  source_.places.resize(2);
  const oci::Descriptor layer = add(text(1'500'000, 'a'));
  source_.places[0][layer.digest].bytes[1'000'000] = 'y';
  const auto done = fetch();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(source_.blamed, 1u);
  // The last one is named.
  ASSERT_TRUE(store::collect_garbage(*store_, false, {}));
  source_.blamed = 0;
  source_.places[1][layer.digest].bytes.pop_back();
  const auto wrong = fetch();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(wrong.error().message(), HasSubstr("place 2: the blob is shorter than"));
  // The last one has nothing.
  source_.blamed = 0;
  source_.places[1].clear();
  const auto missing = fetch();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(missing.error().message(), HasSubstr("no such blob"));
}

}  // namespace
}  // namespace intact::image
