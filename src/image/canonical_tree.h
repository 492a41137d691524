#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/oci/entry_observer.h>
#include <intact/tree/tree.h>

namespace intact::image {

/// The SHA-512 fs-verity digests of files, by their inodes. Several threads may add to it; it is
/// read when these are done.
class Sha512Digests {
 public:
  void add(const tree::Inode& inode, const Digest& digest) {
    const std::lock_guard lock(mutex_);
    digests_.insert_or_assign(&inode, digest);
  }
  const Digest* find(const tree::Inode& inode) const {
    const auto it = digests_.find(&inode);
    return it == digests_.end() ? nullptr : &it->second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const tree::Inode*, Digest> digests_;
};

/// The choices by which tools that make the tree of "erofs.v1" have differed from each other. As
/// they are by default they are the rules of the format.
struct CanonicalRules {
  enum class Xattrs { capability, user_too, all };
  bool root_from_usr = true;  ///< otherwise the root is as its own entry says
  bool empty_run = true;
  bool symlink_modes = true;  ///< as in the archive; otherwise 0777
  Xattrs xattrs = Xattrs::capability;
};

/// The tree that composefs-rs makes of layers for the digests of "erofs.v1". It differs from the
/// one of oci::LayerApplier, beside which this is filled:
///
/// - whiteouts take effect as they come, on files of the same layer as well;
/// - parents must be there and be directories: symlinks are not followed, nothing is implied;
/// - the root has mode, owner, time and attributes of /usr, /run is empty and has the time of /usr;
/// - of extended attributes there is only security.capability;
/// - symlinks keep the mode that the archive gives them.
///
/// Layers that have no such tree are accepted; only tree() refuses. Not thread-safe.
class CanonicalTree final : public oci::EntryObserver {
 public:
  void entry(const oci::TarEntry& entry) override;
  void content(const tree::InodePtr& inode) override;

  /// The whole tree, once all layers are applied. Contents are those of the applier's inodes; their
  /// objects are named by `sha512` if given, which has the digest of each, otherwise as the sink
  /// named them. unsupported: there is no such tree, with the reason.
  Result<tree::Tree> tree(const CanonicalRules& rules = {},
                          const Sha512Digests* sha512 = nullptr) const;

 private:
  Result<void> apply(const oci::TarEntry& entry);
  Result<tree::Inode*> directory(const std::vector<std::string_view>& names);
  tree::InodePtr make_copy(const tree::Inode& inode, const CanonicalRules& rules,
                           const Sha512Digests* sha512) const;

  /// All that the archives say; CanonicalRules are applied to a copy.
  tree::Tree raw_;
  /// From regular files of raw_ to the applier's, which are kept so that each has its own address.
  std::unordered_map<const tree::Inode*, tree::InodePtr> contents_;
  std::vector<tree::InodePtr> replaced_;  ///< kept for the same reason
  tree::InodePtr last_;                   ///< the file that waits for its content
  std::optional<Error> refusal_;
};

}  // namespace intact::image
