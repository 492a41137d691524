#pragma once

#include <memory>
#include <optional>
#include <string>

#include <intact/base/damage.h>
#include <intact/base/result.h>
#include <intact/image/chain.h>
#include <intact/sign/trust.h>
#include <intact/store/lease.h>
#include <intact/store/store.h>
#include <intact/tree/file_tree.h>

namespace intact::image {

/// How file contents are checked when they are read, in the words of overlayfs' mount option
/// verity=. The image itself is always checked, block by block.
enum class VerityMode {
  require,   ///< every content must have a digest and match it
  on,        ///< content with a digest must match it; the rest is read with a warning at open
  validate,  ///< as `on` (nothing is ever generated on a read-only mount)
  off,       ///< contents are not checked
};

/// "require", "on", "validate" or "off".
Result<VerityMode> parse_verity_mode(std::string_view text);

struct OpenOptions {
  sign::Anchors anchors;
  VerityMode verity = VerityMode::require;
  DamageSink damage;  ///< told of each bad block that a read meets; may be empty
};

/// A stored image whose chain of trust has been checked down to its digest, ready to be read. Every
/// read of its tree is checked further down to the bytes. While it lives a lease keeps gc away from
/// what it needs, also after `rm`. Thread-safe once open.
class OpenedImage {
 public:
  /// Errors: not_found (no such name), untrusted, tampered, malformed; see check_chain().
  static Result<std::unique_ptr<OpenedImage>> open(const std::shared_ptr<store::Store>& store,
                                                   const std::string& name,
                                                   const OpenOptions& options);

  /// What the name stood for when it was opened.
  const store::NamedImage& record() const { return record_; }
  const Chain& chain() const { return chain_; }
  const Digest& manifest_digest() const { return chain_.manifest_digest; }
  const ImageId& image() const { return chain_.image; }
  const Digest& image_digest() const { return chain_.image.digest; }
  const oci::ImageConfig& config() const { return chain_.config; }
  /// Who signed it; null when it was opened with insecure_unsigned and has no good signature.
  const sign::Verdict* signer() const { return chain_.signer ? &*chain_.signer : nullptr; }
  /// Outlives this object if need be, but the lease does not: keep both.
  std::shared_ptr<const tree::FileTree> tree() const { return tree_; }

 private:
  OpenedImage(store::NamedImage record, Chain chain, store::Lease lease,
              std::shared_ptr<const tree::FileTree> tree)
      : record_(std::move(record)),
        chain_(std::move(chain)),
        lease_(std::move(lease)),
        tree_(std::move(tree)) {}

  store::NamedImage record_;
  Chain chain_;
  store::Lease lease_;
  std::shared_ptr<const tree::FileTree> tree_;
};

}  // namespace intact::image
