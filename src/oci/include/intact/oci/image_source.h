#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/oci/config.h>
#include <intact/oci/decompress.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/manifest.h>
#include <intact/oci/reference.h>

namespace intact::oci {

/// How deep indexes may nest.
inline constexpr unsigned kMaxIndexDepth = 8;

/// A place that blobs are read from, by digest. Safe to use from several threads at once.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  /// The stored bytes of a blob, unverified. not_found when it is not there; tampered when its size
  /// is seen to be another one already.
  virtual Result<std::unique_ptr<ByteStream>> open_blob(const Descriptor& descriptor) const = 0;

  /// A descriptor of a blob that is a file of its own (so that it can be cloned); nothing when it
  /// is not.
  virtual Result<std::optional<UniqueFd>> open_blob_file(const Descriptor& descriptor) const;

  /// The same from `offset` on, which is less than its size. unsupported unless streams() > 1.
  virtual Result<std::unique_ptr<ByteStream>> continue_blob(const Descriptor& descriptor,
                                                            std::uint64_t offset) const;
  /// How many blobs are best read at once. More than one: they come over a network, and what has
  /// arrived of them is worth keeping.
  virtual unsigned streams() const { return 1; }

  struct Blame {
    std::string place;        ///< where the bytes came from; empty: the source has one place
    bool has_others = false;  ///< open_blob() asks another place from now on
  };
  /// Told that what open_blob() opened last was not the blob, or broke off.
  virtual Blame blame(const Descriptor& /*descriptor*/) const { return {}; }
};

/// A manifest, and what led to it.
struct Located {
  Descriptor manifest;
  /// Digests of the index that was named and of those within it that contain the manifest, the
  /// innermost first. Empty: the manifest itself was named.
  std::vector<Digest> through{};
};

/// Opens a blob and does `work` with its bytes, and does both again where these turn out to be
/// wrong (tampered) or break off and the source has another place to ask. `work` starts afresh each
/// time. The error names the place that the bytes came from.
Result<void> read_from_places(const BlobSource& source, const Descriptor& descriptor,
                              const std::function<Result<void>(ByteStream&)>& work);

/// A place that images are read from. Nothing in it is trusted: documents are hashed before they
/// are returned, and callers must hash blobs on the one occasion that they read them (BlobCopy).
/// Const member functions may be called from several threads at once.
class ImageSource : public BlobSource {
 public:
  /// Opens oci:, oci-archive: (also compressed as a whole: it is then unpacked into a temporary
  /// file, within `limits`) and docker-archive:. A FILE "-" is standard input. unsupported for
  /// docker://; invalid_argument for rootfs: and tar:, which contain no images.
  static Result<std::unique_ptr<ImageSource>> open(const Reference& reference,
                                                   const DecompressLimits& limits = {});

  /// The manifest or index that `tag` names, as it is. Tags and errors as for resolve().
  virtual Result<Descriptor> find(const std::string& tag) const = 0;

  /// The manifest (never an index) that `tag` names, for `platform` where there is a choice. An
  /// empty tag is the only image there, or the one whose digest the reference gave; in layouts
  /// "@DIGEST" is the manifest or index with that digest. Signatures and attestations are not
  /// images. not_found: no such tag; invalid_argument: no tag given and several images; malformed:
  /// one name for several images; unsupported: no image for the platform (the error lists those
  /// there are) or a build cache.
  virtual Result<Located> locate(const std::string& tag, const Platform& platform) const = 0;
  /// The same without what led to it.
  Result<Descriptor> resolve(const std::string& tag, const Platform& platform) const;

  /// A whole document of at most kMaxDocument bytes; tampered unless size and digest agree. It is
  /// fetched once: what was checked is kept for the next caller, as long as there is room.
  virtual Result<Bytes> read_document(const Descriptor& descriptor) const;

  /// The manifest that holds cosign signatures of `manifest`: tag sha256-HEX.sig, else the one that
  /// cosign's `kind` annotations mark in a layout of one signed image.
  virtual Result<std::optional<Descriptor>> find_signatures(const Digest& manifest) const = 0;

  /// Manifests that refer to `manifest` (their `subject` is its digest), each read, hashed and
  /// described by what it says itself; see confirm_referrers(). In layouts they are found by the
  /// index, by the tag of referrers_tag() and by looking at every blob, as cosign does. An error
  /// when the listing fails: that is never "none".
  virtual Result<std::vector<Descriptor>> referrers(const Digest& /*manifest*/) const {
    return std::vector<Descriptor>();
  }

  /// The manifest that holds cosign attestations of `manifest`: tag sha256-HEX.att.
  virtual Result<std::optional<Descriptor>> find_attestations(const Digest& /*manifest*/) const {
    return std::optional<Descriptor>();
  }

  /// Names of the images here, sorted; those without a name are left out.
  virtual std::vector<std::string> names() const = 0;

 protected:
  /// Keeps a document that was hashed for read_document().
  void keep(const Descriptor& descriptor, const Bytes& bytes) const;
  /// Such a document, if it was kept.
  std::optional<Bytes> kept(const Digest& digest) const;

 private:
  mutable std::mutex kept_mutex_;
  mutable std::map<Digest, Bytes> kept_;  ///< documents that were read
  mutable std::size_t kept_bytes_ = 0;
};

/// The manifest for `platform` in `top`, which is a manifest or an index: what locate() does with
/// what find() has found.
Result<Located> choose_image(const ImageSource& source, const Descriptor& top,
                             const Platform& platform);

/// A manifest and its config, both checked to be those of an image that could run.
struct ImageDocuments {
  Descriptor descriptor;
  Bytes manifest_bytes;
  Manifest manifest;
  Bytes config_bytes;
  ImageConfig config;
};

/// Reads and checks both documents of the image that resolve() has found.
Result<ImageDocuments> read_image(const ImageSource& source, const Descriptor& manifest);

/// Tag under which cosign keeps signatures of `manifest`: "sha256-HEX.sig".
std::string signature_tag(const Digest& manifest);
/// The same for attestations: "sha256-HEX.att".
std::string attestation_tag(const Digest& manifest);

}  // namespace intact::oci
