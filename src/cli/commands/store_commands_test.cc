#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/composefs/write.h>
#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>
#include <intact/json/json.h>
#include <intact/store/lease.h>
#include <intact/store/transaction.h>
#include <intact/tree/tree.h>

#include "../commands.h"
#include "command.h"

namespace intact::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The value, or the end of the test's process with the error.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message();
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

const std::string kFirst = "content of /usr/first, longer than what is kept in the image, 64 bytes";
const std::string kSecond = std::string(10000, 's');

class StoreCommands : public testing::Test {
 protected:
  StoreCommands() {
    store_ = must(store::Store::open_or_create(dir_));
    pull("app:1", {{"first", kFirst}, {"second", kSecond}});
  }

  struct Output {
    int status;
    std::string out;
    std::string err;
    Json json() const { return must(parse_json(out)); }
  };
  Output run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "intact");
    arguments.insert(arguments.end(), {"--store", dir_});
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Program program;
    add_store_commands(program);
    const int status = program.run(static_cast<int>(argv.size()), argv.data());
    std::fflush(stdout);
    return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }

  Digest blob(store::Transaction& transaction, const std::string& content) {
    const Digest digest = crypto::sha256(as_bytes(content));
    must(transaction.add_blob(digest, as_bytes(content)));
    return digest;
  }
  static Json descriptor(const std::string& type, const Digest& digest, std::size_t size) {
    return {{"mediaType", type}, {"digest", digest.to_string()}, {"size", size}};
  }

  /// Puts a real composefs image of these files into the store, with the documents around it.
  void pull(const std::string& name, const std::map<std::string, std::string>& files) {
    auto transaction = must(store::Transaction::begin(*store_));
    tree::Tree root;
    std::vector<Digest> objects;
    for (const auto& [file, content] : files) {
      const store::StagedObject object = must(transaction->add_object(as_bytes(content)));
      auto inode = std::make_shared<tree::Inode>();
      inode->attributes.mode = S_IFREG | 0644;
      inode->attributes.size = content.size();
      inode->digest = object.digest;
      inode->payload = object.digest.hex().insert(2, 1, '/');
      root.root().entries.emplace(file, tree::Entry{std::move(inode)});
      objects.push_back(object.digest);
    }
    root.normalize_links();
    const Bytes image = must(composefs::write_image(root, {.min_version = 1, .max_version = 1}));
    fsverity::TreeBuilder builder({}, true);
    builder.update(image);
    const fsverity::MerkleTree merkle = builder.finish();
    must(transaction->add_image(image, merkle));

    const std::string layer = "not looked into";
    const Json config{
        {"architecture", "amd64"},
        {"os", "linux"},
        {"config", {{"Cmd", {"/bin/app", "--go"}}, {"Env", {"A=b"}}}},
        {"rootfs",
         {{"type", "layers"}, {"diff_ids", {crypto::sha256(as_bytes(layer)).to_string()}}}}};
    const std::string config_text = to_text(config);
    const Json manifest{{"schemaVersion", 2},
                        {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                        {"config", descriptor("application/vnd.oci.image.config.v1+json",
                                              blob(*transaction, config_text), config_text.size())},
                        {"layers",
                         {descriptor("application/vnd.oci.image.layer.v1.tar",
                                     blob(*transaction, layer), layer.size())}}};
    must(transaction->commit({.name = name,
                              .manifest = blob(*transaction, to_text(manifest)),
                              .image = {"composefs-1", merkle.digest},
                              .source = "oci:somewhere"},
                             true, objects));
  }

  std::string object_file(const std::string& content) const {
    return dir_ + "/objects/" + fsverity::digest_of(as_bytes(content)).hex().insert(2, 1, '/');
  }
  void flip(const std::string& path, std::uint64_t offset) {
    const UniqueFd fd = must(open_file(path, O_RDWR));
    std::byte byte{};
    must(pread_exact(fd.get(), offset, {&byte, 1}));
    byte ^= std::byte{1};
    must(pwrite_all(fd.get(), offset, {&byte, 1}));
  }

  TempDir temp_ = must(TempDir::create());
  std::string dir_ = temp_.path("store");
  std::unique_ptr<store::Store> store_;
};

TEST_F(StoreCommands, ImagesListsNames) {
  pull("web", {{"x", kFirst}});
  const Output people = run({"images"});
  EXPECT_EQ(people.status, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("NAME"));
  EXPECT_THAT(people.out, HasSubstr("app:1"));
  EXPECT_THAT(people.out, HasSubstr(must(store_->find("web")).manifest.hex().substr(0, 12)));
  const Json json = run({"images", "--json"}).json();
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["name"], "app:1");
  EXPECT_EQ(json[0]["image"], must(store_->find("app:1")).image.digest.to_string());
  EXPECT_EQ(json[0]["layers_kept"], true);
}

TEST_F(StoreCommands, ImagesOfNoStoreAreNone) {
  dir_ += "/missing";
  const Output json = run({"images", "--json"});
  EXPECT_EQ(json.status, 0);
  EXPECT_EQ(json.out, "[]\n");
  EXPECT_EQ(run({"inspect", "x"}).status, 7);
  EXPECT_EQ(run({"gc"}).status, 7);
  EXPECT_EQ(run({"fsck"}).status, 7);
}

TEST_F(StoreCommands, InspectTellsTheChainAndTheConfig) {
  const Output people = run({"inspect", "app:1"});
  EXPECT_EQ(people.status, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr(must(store_->find("app:1")).image.digest.to_string()));
  EXPECT_THAT(people.out, HasSubstr("linux/amd64"));
  EXPECT_THAT(people.out, HasSubstr(R"(["/bin/app","--go"])"));
  const Json json = run({"inspect", "app:1", "--json"}).json();
  EXPECT_EQ(json["manifest"], must(store_->find("app:1")).manifest.to_string());
  EXPECT_EQ(json["layers"][0]["present"], true);
  EXPECT_EQ(json["image_config"]["config"]["Env"][0], "A=b");
  EXPECT_TRUE(json["signature"].is_null());
  EXPECT_EQ(run({"inspect", "nobody"}).status, 7);
  EXPECT_EQ(run({"inspect", "oci:x"}).status, 7);  // a source, but there is none
  EXPECT_EQ(run({"inspect"}).status, 2);
}

TEST_F(StoreCommands, InspectRefusesDamagedDocuments) {
  const Digest manifest = must(store_->find("app:1")).manifest;
  flip(dir_ + "/blobs/sha256/" + manifest.hex(), 5);
  EXPECT_EQ(run({"inspect", "app:1"}).status, 3);
}

TEST_F(StoreCommands, RemovedImagesAreCollectedUnlessInUse) {
  pull("web", {{"x", kFirst}});
  EXPECT_EQ(run({"gc", "--json"}).json()["removed"]["objects"], 0);
  {
    const auto lease = must(store::Lease::take(*store_, must(store_->find("app:1"))));
    const Output removed = run({"rm", "app:1"});
    EXPECT_EQ(removed.status, 0);
    EXPECT_THAT(removed.out, HasSubstr("gc"));
    EXPECT_EQ(run({"gc", "--json"}).json()["removed"]["objects"], 0);
  }
  EXPECT_EQ(run({"gc", "--dry-run", "--json"}).json()["removed"]["objects"], 1);
  EXPECT_THAT(run({"gc"}).out, HasSubstr(": 1 object, 1 image"));
  EXPECT_EQ(::access(object_file(kSecond).c_str(), F_OK), -1);
  EXPECT_EQ(::access(object_file(kFirst).c_str(), F_OK), 0);
  EXPECT_EQ(run({"rm", "app:1"}).status, 7);
}

TEST_F(StoreCommands, NothingIsCollectedBesideADamagedImage) {
  pull("web", {{"x", "unneeded" + kFirst}});
  must(store_->remove("web"));
  const std::string image = dir_ + "/images/" + must(store_->find("app:1")).image.digest.hex();
  flip(image, 1200);
  const Output output = run({"gc"});
  EXPECT_EQ(output.status, 3);
  EXPECT_THAT(output.err, HasSubstr("nothing was removed"));
  flip(image, 1200);
  EXPECT_THAT(run({"gc"}).out, HasSubstr(": 1 object"));
}

TEST_F(StoreCommands, FsckNamesDamagedFilesByTheirPaths) {
  const Output good = run({"fsck", "--json"});
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.json()["ok"], true);
  EXPECT_EQ(good.json()["checked"]["objects"], 2);
  EXPECT_EQ(good.json()["checked"]["blobs"], 3);
  flip(object_file(kSecond), 4096);
  const Output bad = run({"fsck", "--json"});
  EXPECT_EQ(bad.status, 3);
  const Json json = bad.json();
  EXPECT_EQ(json["ok"], false);
  ASSERT_EQ(json["damaged"].size(), 1u);
  EXPECT_EQ(json["damaged"][0]["path"], "/second");
  EXPECT_EQ(json["damaged"][0]["block"], 1);
  EXPECT_EQ(json["damaged"][0]["offset"], 4096);
  EXPECT_EQ(json["damaged"][0]["image"], "app:1");
  EXPECT_THAT(run({"fsck"}).out, HasSubstr("DAMAGED 'app:1' /second: block 1 (byte 4096)"));
}

TEST_F(StoreCommands, FsckForgivesGarbage) {
  must(store_->remove("app:1"));
  const Output output = run({"fsck"});
  EXPECT_EQ(output.status, 0);
  EXPECT_THAT(output.out, HasSubstr("intact gc"));
  EXPECT_GT(run({"fsck", "--json"}).json()["garbage"]["files"], 0);
}

}  // namespace
}  // namespace intact::cli
