#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include <sys/stat.h>

#include <intact/base/damage.h>
#include <intact/composefs/image_tree.h>
#include <intact/fsverity/hash_cache.h>
#include <intact/image/opened_image.h>
#include <intact/store/store.h>
#include <intact/tree/file_tree.h>

namespace intact::image {

/// The objects that are open at the moment, so that a file that is opened again shares the memory
/// and the descriptor of the first. Thread-safe.
class OpenObjects {
 public:
  /// One file of the image by way of one state of one file of the store: an object that has been
  /// replaced or changed is opened afresh.
  struct Key {
    tree::NodeId node;
    std::uint64_t device, inode, size;
    std::int64_t changed, changed_nanoseconds;
    auto operator<=>(const Key&) const = default;
  };

  static Key key_of(tree::NodeId node, const struct stat& object) {
    return {node,
            object.st_dev,
            object.st_ino,
            static_cast<std::uint64_t>(object.st_size),
            object.st_ctim.tv_sec,
            object.st_ctim.tv_nsec};
  }

  /// Null if it is not open.
  std::shared_ptr<tree::OpenFile> find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto it = files_.find(key);
    return it == files_.end() ? nullptr : it->second.lock();
  }

  void add(const Key& key, const std::shared_ptr<tree::OpenFile>& file) {
    const std::lock_guard lock(mutex_);
    files_[key] = file;
    if (files_.size() < sweep_at_) return;
    std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * files_.size() + 64;
  }

 private:
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<tree::OpenFile>> files_;
  std::size_t sweep_at_ = 64;  ///< entries; closed files are then forgotten
};

/// Opens the objects of one image in a store, each read checked as `mode` says. All of them share
/// one cache of hash blocks, so that memory does not grow with the number of open files.
/// Thread-safe.
class StoreObjectOpener final : public composefs::ObjectOpener {
 public:
  StoreObjectOpener(std::shared_ptr<const store::Store> store, Digest image, VerityMode mode,
                    DamageSink damage)
      : store_(std::move(store)), image_(image), mode_(mode), damage_(std::move(damage)) {}

  /// Names the tree that knows paths of nodes. Before the first open(); the tree owns the opener,
  /// so it is not owned here.
  void set_tree(std::weak_ptr<const composefs::ImageTree> tree) { tree_ = std::move(tree); }

  Result<std::shared_ptr<tree::OpenFile>> open(const std::string& payload,
                                               const std::optional<Digest>& digest,
                                               std::uint64_t size,
                                               tree::NodeId node) const override;

 private:
  Result<std::shared_ptr<tree::OpenFile>> open_file(UniqueFd object, const std::string& payload,
                                                    const std::optional<Digest>& digest,
                                                    std::uint64_t size, tree::NodeId node) const;
  /// Adds object and path to the damage and tells of it.
  void tell(const std::string& payload, tree::NodeId node, Damage damage) const;

  std::shared_ptr<const store::Store> store_;
  Digest image_;
  VerityMode mode_;
  DamageSink damage_;
  std::weak_ptr<const composefs::ImageTree> tree_;
  std::shared_ptr<fsverity::HashCache> hashes_ = std::make_shared<fsverity::HashCache>();
  mutable OpenObjects open_;
};

}  // namespace intact::image
