// The whole way of an image, with enough files of all sizes to keep every thread at work: run under
// the thread sanitizer, this is what looks for races in seal, pull and verify.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/image/chain.h>
#include <intact/image/names.h>
#include <intact/image/pull.h>
#include <intact/image/seal.h>
#include <intact/image/source_summary.h>
#include <intact/image/stored_images.h>
#include <intact/image/verify.h>

namespace intact::image {
namespace {

constexpr int kSmallFiles = 300;

class ImageLife : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("INTACT_STATE", dir_.path("state").c_str(), 1);
    ASSERT_EQ(::mkdir(root_.c_str(), 0755), 0);
    write("tiny", 10);
    for (int i = 0; i < kSmallFiles; ++i)
      write("small" + std::to_string(i), 100 + static_cast<std::size_t>(i) * 97);
    for (int i = 0; i < 3; ++i) write("large" + std::to_string(i), (1u << 20) + 12345u * (i + 1));
    ASSERT_EQ(::symlink("tiny", (root_ + "/link").c_str()), 0);
    std::ofstream(anchors_.key_files.front()) << key_.public_key().to_pem();
    anchors_.policy_file = dir_.path("policy.json");
    std::ofstream(*anchors_.policy_file) << sign::Policy().to_text();
  }

  void write(const std::string& name, std::size_t size) {
    std::string content(size, '\0');
    for (char& c : content) c = static_cast<char>(random_());
    std::ofstream(root_ + "/" + name, std::ios::binary) << content;
  }

  std::future<Result<sign::PrivateKey>> opening_key() const {
    return std::async(std::launch::async, [this]() -> Result<sign::PrivateKey> { return key_; });
  }

  Result<SealReport> seal_with(std::future<Result<sign::PrivateKey>> key) {
    SealOptions options;
    options.progress = [this](std::string_view, std::uint64_t, std::uint64_t) { ++progress_; };
    return seal(source_, sealed_, std::move(key), options);
  }

  Result<PullReport> pull_as(const std::string& name) const {
    const auto store = TRY(store::Store::open_or_create(store_));
    PullOptions options;
    options.anchors = anchors_;
    options.replace = true;
    return pull(sealed_, name, *store, options);
  }

  Result<VerifyReport> verify(const std::string& name) const {
    const auto store = TRY(store::Store::open(store_));
    int calls = 0;  // not atomic: the callback is not to be called by two threads at once
    const ProgressOfSteps progress = [&](std::string_view, std::uint64_t, std::uint64_t) {
      ++calls;
    };
    auto report = verify_stored(*store, name, {.anchors = anchors_, .progress = progress});
    EXPECT_GT(calls, 0);
    return report;
  }

  // In memory where there is such a place: syncing disks is not what is looked at here.
  TempDir dir_ = *TempDir::create(std::filesystem::exists("/dev/shm") ? "/dev/shm"
                                                                      : TempDir::default_parent());
  std::string root_ = dir_.path("root");
  std::mt19937 random_{1};
  sign::PrivateKey key_ = *sign::PrivateKey::generate();
  sign::Anchors anchors_{.key_files = {dir_.path("key.pub")}};
  oci::Reference source_ = **oci::parse_reference("rootfs:" + root_);
  oci::Reference sealed_ = **oci::parse_reference("oci:" + dir_.path("layout") + ":x");
  std::string store_ = dir_.path("store");
  int progress_ = 0;
};

std::string why(const auto& result) {
  return result ? "" : result.error().message();
}

TEST_F(ImageLife, IsSealedPulledByManyAndVerified) {
  const auto sealed = seal_with(opening_key());
  ASSERT_TRUE(sealed) << why(sealed);
  EXPECT_GT(progress_, 0);

  std::vector<std::thread> pulls;
  for (const char* name : {"a", "b", "contested", "contested"})
    pulls.emplace_back([this, name] {
      const auto pulled = pull_as(name);
      ASSERT_TRUE(pulled) << why(pulled);
      EXPECT_EQ(pulled->objects, kSmallFiles + 3u);
    });
  for (std::thread& thread : pulls) thread.join();

  for (const char* name : {"a", "b", "contested"}) {
    const auto verified = verify(name);
    ASSERT_TRUE(verified) << why(verified);
    EXPECT_TRUE(verified->ok());
    EXPECT_EQ(verified->image, sealed->image);
    EXPECT_EQ(verified->objects, kSmallFiles + 3u);
  }
  const auto source = verify_source(sealed_, {.anchors = anchors_});
  ASSERT_TRUE(source) << why(source);
  EXPECT_TRUE(source->ok());
  EXPECT_EQ(source->files, sealed->files);
  const auto summary = summarize_source(sealed_, {});
  ASSERT_TRUE(summary) << why(summary);
  EXPECT_EQ(summary->top.digest, sealed->manifest);
  EXPECT_EQ(summary->layers.size(), sealed->layers);
  EXPECT_EQ(summary->signatures.size(), 1u);
}

// Otherwise a pull of another image under the name could come between: the store would have one of
// them and the memory the other.
TEST_F(ImageLife, ANameIsLockedUntilItIsRemembered) {
  using namespace std::chrono_literals;
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_EQ(::mkdir(dir_.path("state").c_str(), 0755), 0);
  const std::string memory = dir_.path("state/pulled.json");
  auto no_memory = std::make_optional(*LockFile::take(memory + ".lock", 0ms));
  auto pulling = std::async(std::launch::async, [this] { return pull_as("app"); });
  while (!std::filesystem::exists(store_ + "/names/app.json") &&
         pulling.wait_for(1ms) == std::future_status::timeout) {
  }
  const UniqueFd names(::open((store_ + "/names.lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(names);
  // It has its name and waits for the memory. If it let go of the lock, then any moment now.
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(::flock(names.get(), LOCK_EX | LOCK_NB), 0);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_FALSE(std::filesystem::exists(memory));
  no_memory.reset();
  const auto pulled = pulling.get();
  ASSERT_TRUE(pulled) << why(pulled);
  EXPECT_TRUE(pulled->warnings.empty());
  EXPECT_TRUE(std::filesystem::exists(memory));
  EXPECT_EQ(::flock(names.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(ImageLife, DamageIsFoundByWhicheverThread) {
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_TRUE(pull_as("a"));
  // One bit in every object of one directory in four.
  int damaged = 0;
  for (int i = 0; i < 256; i += 4) {
    char name[3];
    std::snprintf(name, sizeof name, "%02x", i);
    const std::string directory = store_ + "/objects/" + name;
    const auto entries = std::filesystem::exists(directory)
                             ? std::filesystem::directory_iterator(directory)
                             : std::filesystem::directory_iterator();
    for (const auto& entry : entries) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const char first = static_cast<char>(file.get());
      file.seekp(0);
      file.put(static_cast<char>(first ^ 1));
      ++damaged;
    }
  }
  ASSERT_GT(damaged, 10);
  const auto verified = verify("a");
  ASSERT_TRUE(verified) << why(verified);
  EXPECT_EQ(verified->damaged.size(), static_cast<std::size_t>(damaged));
}

TEST_F(ImageLife, AReportOfMuchDamageIsBounded) {
  // One content with many names.
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(::link((root_ + "/large0").c_str(), (root_ + "/name" + std::to_string(i)).c_str()),
              0);
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_TRUE(pull_as("a"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store_ + "/objects")) {
    if (!entry.is_regular_file() || entry.file_size() < (1u << 20)) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (int block = 0; block < 100; ++block) {
      file.seekp(block * 4096);
      file.write("changed", 7);
    }
  }
  constexpr std::uint64_t kPlaces = (3 + 50) * 100;
  const auto store = *store::Store::open(store_);
  for (const std::size_t most : {std::size_t{100'000}, std::size_t{1000}, std::size_t{1}}) {
    const auto report = verify_stored(*store, "a", {.anchors = anchors_, .max_damaged = most});
    ASSERT_TRUE(report) << why(report);
    EXPECT_FALSE(report->ok());
    EXPECT_EQ(report->damaged.size() + report->omitted, kPlaces);
    // No file is left out.
    std::set<std::string> paths;
    for (const Damage& damage : report->damaged) paths.insert(damage.path);
    EXPECT_EQ(paths.size(), 53u);
    EXPECT_LE(report->damaged.size(), most + 53);
  }
  EXPECT_EQ(verify_stored(*store, "a", {.anchors = anchors_})->omitted, 0u);
}

TEST_F(ImageLife, TellsWhatImagesTakeAndWhoNeedsWhat) {
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_TRUE(pull_as("a"));
  ASSERT_TRUE(pull_as("b"));  // the same image
  const auto store = *store::Store::open(store_);
  const auto one = list_images(*store, true);
  ASSERT_TRUE(one) << why(one);
  ASSERT_EQ(one->images.size(), 2u);
  EXPECT_EQ(one->images[0].name, "a");
  const store::ImageId first = one->images[0].image;
  EXPECT_EQ(one->size_of(one->images[0])->shared, 0u);
  EXPECT_EQ(one->size_of(one->images[0])->own, one->images[0].size);
  StoredImages kept = *one;
  kept.keep({"b", "no-such-name"});
  ASSERT_EQ(kept.images.size(), 1u);
  EXPECT_EQ(kept.images[0].name, "b");
  kept = *one;
  kept.keep({one->images[0].manifest.to_string()});
  EXPECT_EQ(kept.images.size(), 2u);
  const auto objects = stored_objects(*store, first);
  ASSERT_TRUE(objects) << why(objects);
  EXPECT_EQ(objects->size(), kSmallFiles + 3u);

  // Another image with all of these files but one.
  ASSERT_EQ(::unlink((root_ + "/large0").c_str()), 0);
  sealed_ = **oci::parse_reference("oci:" + dir_.path("other") + ":x");
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_TRUE(pull_as("c"));
  const auto both = list_images(*store, true);
  ASSERT_TRUE(both) << why(both);
  const auto size_of = [&](std::size_t i) { return *both->size_of(both->images[i]); };
  EXPECT_EQ(size_of(0).shared, size_of(2).shared);
  EXPECT_GT(size_of(0).own, size_of(2).own + (1u << 20));
  EXPECT_EQ(size_of(0).own + size_of(0).shared, both->images[0].size);

  std::set<std::string> paths;
  for (const store::ImageObject& object : *objects) paths.insert("objects/" + object.payload);
  const auto users = other_users_of(*store, paths, both->images[2].image);
  ASSERT_TRUE(users) << why(users);
  EXPECT_EQ(users->size(), objects->size());
  EXPECT_EQ(users->begin()->second, (std::vector<std::string>{"a", "b"}));
  const auto others = other_users_of(*store, paths, first);
  ASSERT_TRUE(others) << why(others);
  EXPECT_EQ(others->size(), objects->size() - 1);
  EXPECT_EQ(others->begin()->second, std::vector<std::string>{"c"});

  const auto summary = summarize(*store, "c");
  ASSERT_TRUE(summary) << why(summary);
  EXPECT_EQ(summary->layer_present, std::vector<bool>{true});
  EXPECT_EQ(summary->identities, std::vector<std::string>{""});
  const std::string digest = first.digest.hex();
  EXPECT_EQ(*names_to_remove(*store, {digest, "b", "c"}),
            (std::map<std::string, std::string>{{"a", digest}, {"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(names_to_remove(*store, {"c", "d"}).error().kind(), ErrorKind::not_found);
}

TEST_F(ImageLife, EvidenceOfALaterKindIsListedAndNeverAccepted) {
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_TRUE(pull_as("a"));
  const auto store = *store::Store::open(store_);
  store::NamedImage record = *store->find("a");
  ASSERT_EQ(record.evidence.size(), 1u);
  const auto refused = [&] { return check_chain(*store, record, anchors_).error().message(); };
  record.evidence.insert(record.evidence.begin(), {"later-kind", record.manifest});
  EXPECT_TRUE(check_chain(*store, record, anchors_)) << refused();
  record.evidence.pop_back();
  ASSERT_FALSE(check_chain(*store, record, anchors_));
  EXPECT_NE(refused().find("found only: 'later-kind' " + record.manifest.to_string()),
            std::string::npos)
      << refused();
  // The format is part of what the record claims.
  record = *store->find("a");
  record.image.format = "later-1";
  const auto other = check_chain(*store, record, anchors_);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind(), ErrorKind::tampered);
  EXPECT_NE(other.error().message().find("names the later-1 image"), std::string::npos);
}

TEST_F(ImageLife, APieceOfEvidenceThatIsMissingDoesNotHideTheOthers) {
  ASSERT_TRUE(seal_with(opening_key()));
  ASSERT_TRUE(pull_as("a"));
  const auto store = *store::Store::open(store_);
  const store::NamedImage good = *store->find("a");
  const store::EvidenceRef missing{good.evidence[0].kind,
                                   Digest::parse("sha256:" + std::string(64, '0')).value()};
  store::NamedImage record = good;
  record.evidence = {missing, good.evidence[0]};
  const auto chain = check_chain(*store, record, anchors_);
  ASSERT_TRUE(chain) << why(chain);
  EXPECT_TRUE(chain->signer);
  record.evidence = {good.evidence[0], missing};
  EXPECT_TRUE(check_chain(*store, record, anchors_));
  // Alone it is what the user hears of.
  record.evidence = {missing};
  const auto refused = check_chain(*store, record, anchors_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::tampered);
  EXPECT_NE(refused.error().message().find(missing.document.to_string() + ": missing"),
            std::string::npos)
      << refused.error().message();
}

TEST_F(ImageLife, AKeyThatDoesNotOpenEndsTheSeal) {
  // From a layout, whose layers are read while the key is opened.
  ASSERT_TRUE(seal_with(opening_key()));
  const oci::Reference target = **oci::parse_reference("oci:" + dir_.path("other") + ":x");
  const auto never = [] {
    return std::async(std::launch::async, []() -> Result<sign::PrivateKey> {
      return Error(ErrorKind::bad_secret, "wrong password");
    });
  };
  const auto refused = seal(sealed_, target, never(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::bad_secret);
  EXPECT_EQ(refused.error().message(), "wrong password");
  EXPECT_FALSE(std::filesystem::exists(dir_.path("other")));
  // The same when the source is wrong as well.
  const oci::Reference nothing = **oci::parse_reference("oci:" + dir_.path("nothing") + ":x");
  const auto both = seal(nothing, target, never(), {});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().kind(), ErrorKind::bad_secret);
  EXPECT_TRUE(seal(sealed_, target, opening_key(), {}));
}

}  // namespace
}  // namespace intact::image
