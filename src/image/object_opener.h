#pragma once

#include <memory>

#include <intact/composefs/image_tree.h>
#include <intact/fsverity/hash_cache.h>
#include <intact/image/damage.h>
#include <intact/image/opened_image.h>
#include <intact/store/store.h>

#include "open_objects.h"

namespace intact::image {

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
  void tell(const std::string& payload, tree::NodeId node, std::uint64_t block,
            std::uint64_t offset, const std::string& reason) const;

  std::shared_ptr<const store::Store> store_;
  Digest image_;
  VerityMode mode_;
  DamageSink damage_;
  std::weak_ptr<const composefs::ImageTree> tree_;
  std::shared_ptr<fsverity::HashCache> hashes_ = std::make_shared<fsverity::HashCache>();
  mutable OpenObjects open_;
};

}  // namespace intact::image
