#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/worker_pool.h>
#include <intact/store/maintenance.h>
#include <intact/store/store.h>

#include "tree_pack.h"

namespace intact::store {

/// Damage found by several threads. Thread-safe.
class DamageList {
 public:
  /// A file of hostile size may have any number of bad blocks: no more than `most` are kept.
  explicit DamageList(std::uint64_t most) : most_(most) {}
  void add(StoreDamage damage);
  /// Moves everything into the report, in the order of images, path and block.
  void take(FsckReport& report);

 private:
  const std::uint64_t most_;
  std::mutex mutex_;
  std::vector<StoreDamage> list_;
  std::uint64_t omitted_ = 0;
};

/// Names of images, sorted.
using Names = std::vector<std::string>;

/// Hashes what records refer to, each file once however many images have it, on several threads.
/// A file that we may not open, or too many open files, is an error of the check and not damage.
class ContentCheck {
 public:
  /// `named`: all images that will be checked. Damage names every one that it concerns.
  ContentCheck(const Store& store, const std::vector<NamedImage>& named, unsigned threads,
               DamageList& damage);

  /// Checks the EROFS file here and now and returns its objects, which are checked by finish().
  /// Empty when the image is damaged: what it says is then unknown.
  Result<std::vector<ImageObject>> check_image(const NamedImage& image,
                                               const ListObjects& list_objects);
  /// Waits for everything and fills in the counts.
  Result<void> finish(FsckReport& report);
  bool all_images_listed() const { return all_listed_; }

 private:
  struct Pack {
    std::string path;  // "trees/HEX"
    Names images;      // that it belongs to
    std::shared_ptr<const TreePack> pack;
  };
  struct Object {
    ImageObject object;
    Names images;                                    // that it belongs to
    std::vector<std::shared_ptr<const Pack>> packs;  // that should have its tree
  };

  static StoreDamage damage_of(const Object& object);
  void add_blocks(StoreDamage damage, const Result<std::vector<Damage>>& blocks);
  Result<void> not_opened(StoreDamage damage, const Error& error);
  Result<void> check_blob(const Digest& digest, const Names& images);
  Result<void> check_object(const Object& object);
  Result<void> check_damaged_object(const Object& object, const Digest& digest);
  void check_trees(const Object& object, const Digest& digest, ByteSpan blocks);
  void check_tree(const Pack& pack, const Digest& digest, const std::string& what, ByteSpan blocks);
  Result<std::shared_ptr<const Pack>> open_pack(const NamedImage& image);
  Result<std::optional<std::vector<ImageObject>>> list_image(const NamedImage& image,
                                                             const Pack& pack,
                                                             const ListObjects& list_objects);
  Result<bool> hash_image(const NamedImage& image, const Pack& pack);
  void count(std::uint64_t bytes) { bytes_ += bytes; }

  const Store& store_;
  DamageList& damage_;
  std::map<std::string, Object> objects_;  // by payload
  std::unordered_map<Digest, std::vector<ImageObject>> images_;
  std::unordered_map<Digest, Names> blobs_;     // with the images that need them
  std::unordered_map<Digest, Names> names_of_;  // an image
  bool all_listed_ = true;
  std::atomic<std::uint64_t> bytes_ = 0;
  WorkerPool pool_;  // last: its threads use all of the above
};

}  // namespace intact::store
