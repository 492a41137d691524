#pragma once

// Images for the store's tests. The store does not know what an image is; these are lists of
// objects as text, a line each: "ab/cdef... SIZE PATH".

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>
#include <intact/store/lease.h>
#include <intact/store/maintenance.h>
#include <intact/store/store.h>
#include <intact/store/transaction.h>

#include "layout.h"

namespace intact::store {

/// The value, or the end of the test's process with the error.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message();
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

#define EXPECT_OK(...)                                       \
  do {                                                       \
    const auto expect_ok_ = (__VA_ARGS__);                   \
    EXPECT_TRUE(expect_ok_) << expect_ok_.error().message(); \
  } while (0)

#define EXPECT_ERROR(kind_, ...)                                                                  \
  do {                                                                                            \
    const auto expect_error_ = (__VA_ARGS__);                                                     \
    ASSERT_FALSE(expect_error_) << "succeeded";                                                   \
    EXPECT_EQ(expect_error_.error().kind(), ErrorKind::kind_) << expect_error_.error().message(); \
  } while (0)

/// `size` bytes that depend on `seed`.
inline std::string make_content(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

inline Digest verity_digest(const std::string& content) {
  return fsverity::digest_of(as_bytes(content));
}

struct TestImage {
  std::string text;
  std::vector<Digest> objects;

  explicit TestImage(const std::vector<std::string>& contents) {
    for (const std::string& content : contents) {
      objects.push_back(verity_digest(content));
      text += object_path(objects.back()) + " " + std::to_string(content.size()) + " /file" +
              std::to_string(objects.size()) + "\n";
    }
  }
  fsverity::MerkleTree tree() const {
    fsverity::TreeBuilder builder({}, true);
    builder.update(as_bytes(text));
    return builder.finish();
  }
  Digest digest() const { return verity_digest(text); }
  std::string manifest() const { return "manifest of " + digest().hex(); }
  NamedImage record(const std::string& name) const {
    return {.name = name,
            .manifest = crypto::sha256(as_bytes(manifest())),
            .image = {std::string(kFirstFormat), digest()},
            .source = "oci:test"};
  }
};

/// Stages all of an image: objects, blobs, EROFS file.
inline Result<void> stage(Transaction& transaction, const TestImage& image,
                          const std::vector<std::string>& contents) {
  for (const std::string& content : contents) {
    auto writer = TRY(transaction.new_object());
    TRY(writer->write(as_bytes(content)));
    TRY(writer->finish());
  }
  TRY(transaction.add_blob(crypto::sha256(as_bytes(image.manifest())), as_bytes(image.manifest())));
  return transaction.add_image(as_bytes(image.text), image.tree());
}

/// As a pull does it.
inline Result<void> pull(Store& store, const std::string& name,
                         const std::vector<std::string>& contents, bool replace = false) {
  const TestImage image(contents);
  auto transaction = TRY(Transaction::begin(store));
  TRY(stage(*transaction, image, contents));
  return transaction->commit(image.record(name), replace, image.objects);
}

inline ListObjects object_lister(const Store& store) {
  return [&store](const ImageId& image) -> Result<std::vector<ImageObject>> {
    const Digest& digest = image.digest;
    const UniqueFd fd = TRY(store.open_image(digest));
    const Bytes bytes = TRY(read_fd(fd.get(), 1 << 26));
    if (fsverity::digest_of(bytes) != digest)
      return Error(ErrorKind::tampered, "the image is damaged");
    std::vector<ImageObject> objects;
    std::istringstream lines{std::string(as_text(bytes))};
    ImageObject object;
    while (lines >> object.payload >> object.size >> object.path) objects.push_back(object);
    return objects;
  };
}

inline Result<GcReport> collect(Store& store, bool dry_run = false) {
  return collect_garbage(store, dry_run, object_lister(store));
}

inline FsckReport fsck(Store& store) {
  return must(check(store, {.list_objects = object_lister(store), .threads = 2}));
}

/// Inverts one bit of a file, keeping its size.
inline void flip(const std::string& path, std::uint64_t offset) {
  const UniqueFd fd = must(open_file(path, O_RDWR));
  std::byte byte{};
  must(pread_exact(fd.get(), offset, {&byte, 1}));
  byte ^= std::byte{1};
  must(pwrite_all(fd.get(), offset, {&byte, 1}));
}

inline bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

/// Every object of an image of the store reads back as what was put in.
inline void expect_readable(const Store& store, const std::vector<std::string>& contents) {
  for (const std::string& content : contents) {
    const auto fd = store.open_object(object_path(verity_digest(content)));
    ASSERT_TRUE(fd) << fd.error().message();
    EXPECT_EQ(as_text(must(read_fd(fd->get(), 1 << 26))), content);
  }
}

/// A store in memory where there is such a place: processes that die leave the same there, and the
/// many calls of syncfs cost nothing.
class StoreTest : public testing::Test {
 protected:
  TempDir dir_ = must(TempDir::create(exists("/dev/shm") ? "/dev/shm" : TempDir::default_parent()));
  std::string path_ = dir_.path("store");
  std::unique_ptr<Store> store_ = must(Store::open_or_create(path_));

  std::string object_file(const std::string& content) const {
    return path_ + "/objects/" + object_path(verity_digest(content));
  }
  std::vector<std::string> entries(const std::string& sub) const {
    return must(list_directory(store_->dir_fd(), sub));
  }
};

}  // namespace intact::store
