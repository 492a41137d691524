#pragma once

#include <memory>

#include <intact/composefs/image_tree.h>
#include <intact/image/damage.h>
#include <intact/image/opened_image.h>
#include <intact/store/store.h>

namespace intact::image {

/// Opens the objects of one image in a store, each read checked as `mode` says. Thread-safe.
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
  void tell(const std::string& payload, tree::NodeId node, std::uint64_t block,
            std::uint64_t offset, const std::string& reason) const;

  std::shared_ptr<const store::Store> store_;
  Digest image_;
  VerityMode mode_;
  DamageSink damage_;
  std::weak_ptr<const composefs::ImageTree> tree_;
};

}  // namespace intact::image
