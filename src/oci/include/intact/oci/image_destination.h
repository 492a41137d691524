#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/oci/blob_copy.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/image_source.h>
#include <intact/oci/reference.h>

namespace intact::oci {

/// A blob whose digest is known only at its end, on its way into a destination. Discarded unless
/// finished. Must not outlive the destination.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual Result<void> write(ByteSpan bytes) = 0;
  /// What has been written so far, from the start: a source is read once, and its bytes from here
  /// from then on. Outlives the blob.
  virtual Result<std::unique_ptr<ByteStream>> read_back() const = 0;
  /// Ends the blob and returns its descriptor.
  virtual Result<Descriptor> finish(std::string_view media_type) = 0;
};

/// A place that images are written to: the twin of ImageSource. Blobs are staged, and nothing is
/// visible there before commit(); without it the place stays as it was. Not thread-safe.
///
///   auto destination = TRY(ImageDestination::open(reference));
///   for (const Descriptor& layer : layers) TRY(destination->copy_blob(*source, layer));
///   const Descriptor manifest = TRY(destination->put_document(bytes, kManifestType));
///   TRY(destination->put_image(manifest, signatures));
///   TRY(destination->commit());
class ImageDestination {
 public:
  /// Opens oci:, a directory that is made if it is missing, or oci-archive:, which is a new file
  /// (exists if it is there already); its FILE "-" is standard output. The reference has a tag:
  /// invalid_argument otherwise. unsupported for other transports. busy when another process writes
  /// to the directory.
  static Result<std::unique_ptr<ImageDestination>> open(const Reference& reference);
  virtual ~ImageDestination() = default;

  /// Whether the blob is staged, or there and intact.
  virtual Result<bool> has_blob(const Descriptor& blob) = 0;
  /// The same, or the destination can take the blob from `source` without its bytes passing through
  /// here, and has done so.
  virtual Result<bool> take_blob(const BlobSource& /*source*/, const Descriptor& blob) {
    return has_blob(blob);
  }
  /// Stages a manifest, an index, a config or another document that is in memory.
  virtual Result<Descriptor> put_document(ByteSpan bytes, std::string_view media_type) = 0;
  /// Fetches a blob from `source`, once, and stages what was hashed; tampered unless it has the
  /// size and digest of `blob`. One that is here and intact is not fetched; a damaged one is
  /// replaced. Returns the bytes that were hashed, for further use.
  virtual Result<BlobCopy> copy_blob(const BlobSource& source, const Descriptor& blob,
                                     const BlobProgress& progress = {}) = 0;
  virtual Result<std::unique_ptr<BlobWriter>> new_blob() = 0;
  /// A file without a name for temporary content, where there is room for layers.
  virtual Result<UniqueFd> temporary_file() const = 0;

  /// What was there before, for reading.
  /// `known`: blobs that the caller has read and that hold no signatures; they are not opened again
  /// to look for some.
  virtual Result<std::unique_ptr<ImageSource>> reader(const std::set<Digest>& known) const = 0;
  /// The manifests that have the reference's tag now.
  virtual std::vector<Descriptor> tagged() const = 0;

  /// Gives the tag of the reference to a manifest or index, in place of any other, and enters the
  /// manifest of its signatures as cosign and skopeo look for it.
  virtual Result<void> put_image(const Descriptor& manifest,
                                 const std::optional<Descriptor>& signatures) = 0;
  /// Enters the manifest of the signatures of another image than that of put_image(), such as one
  /// in an index.
  virtual Result<void> put_signatures(const Descriptor& subject, const Descriptor& manifest) = 0;
  /// Enters a manifest that refers to `subject` (its `subject` is that), such as a sigstore bundle,
  /// where clients look for those. Its artifact_type is in the entry.
  virtual Result<void> put_referrer(const Descriptor& subject, const Descriptor& referrer);
  /// Gives a manifest of attestations the tag under which cosign looks for it.
  virtual Result<void> put_attestations(const Descriptor& subject, const Descriptor& manifest);
  /// Publishes everything. Call once.
  virtual Result<void> commit() = 0;
};

}  // namespace intact::oci
