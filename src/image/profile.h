#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/fsverity/tree.h>
#include <intact/image/export.h>
#include <intact/image/opened_image.h>
#include <intact/image/verify.h>
#include <intact/oci/config.h>
#include <intact/oci/layer_applier.h>
#include <intact/store/store.h>
#include <intact/store/transaction.h>
#include <intact/tree/file_tree.h>
#include <intact/tree/tree.h>

#include "canonical_tree.h"

namespace intact::image {

/// What a profile makes of a tree: the file that stands for all of it, and the hashes over that.
struct MadeImage {
  Bytes bytes;
  fsverity::MerkleTree merkle;

  const Digest& digest() const { return merkle.digest; }
};

/// All of a stored image's tree, and contents that are verified as they are read.
class ImageContents {
 public:
  virtual ~ImageContents() = default;
  virtual const tree::Tree& tree() const = 0;
  /// The content of a regular file of that tree.
  virtual Result<std::unique_ptr<ByteStream>> open(const tree::Inode& inode) const = 0;
};

/// A format of sealed images: how one is made of a tree, found again in the store and read. All
/// other code of this room passes ImageIds around and asks the profile that their format names.
/// Stateless and thread-safe. To add a format: a class in files of its own, one line in profile.cc.
class Profile {
 public:
  virtual ~Profile() = default;

  /// The value of the label intact.image.format, and of records in the store.
  virtual std::string_view format() const = 0;
  /// Of `seal --profile`.
  virtual std::string_view name() const = 0;
  /// Checks what a config says of an image of this format: unsupported for a digest of another
  /// kind, malformed if further labels, which other tools write, name another image.
  virtual Result<void> check_labels(const oci::ImageConfig& config, const Digest& image) const = 0;

  /// Takes the files of the layers, and records in their inodes what seal() needs. With a
  /// transaction, which must outlive it, contents are staged as well; `sha512` as for ObjectSink.
  virtual std::unique_ptr<oci::ContentSink> content_sink(store::Transaction* transaction,
                                                         Sha512Digests* sha512) const = 0;
  /// The image of a tree whose contents went through content_sink(). The same tree gives the same
  /// image everywhere.
  virtual Result<MadeImage> seal(const tree::Tree& tree) const = 0;

  /// The tree of a stored image, each read verified down to `image`.
  virtual Result<std::shared_ptr<const tree::FileTree>> open(
      const std::shared_ptr<const store::Store>& store, const Digest& image, VerityMode mode,
      const DamageSink& damage) const = 0;
  /// The same to be walked as a whole.
  virtual Result<std::unique_ptr<ImageContents>> read(
      const std::shared_ptr<const store::Store>& store, const Digest& image,
      const DamageSink& damage) const = 0;
  /// The objects that a stored image needs, each once. Every byte of the image is verified before
  /// it is believed.
  virtual Result<std::vector<store::ImageObject>> references(const store::Store& store,
                                                             const Digest& image) const = 0;
  /// Reads all of a stored image, to the end whatever is damaged, and fills in the report.
  virtual Result<void> verify(const store::Store& store, const Digest& image,
                              const VerifyOptions& options, VerifyReport& report) const = 0;

  /// The word for `export WORD:DIR`, which writes the image's own files.
  virtual std::string_view export_form() const = 0;
  virtual Result<ExportReport> export_files(const std::shared_ptr<const store::Store>& store,
                                            const Digest& image, const DamageSink& damage,
                                            const std::string& directory) const = 0;
};

/// The profile of images of this format; unsupported if this version has none.
Result<const Profile*> find_profile(std::string_view format);
/// All of them. The first is the one that `seal` uses by default.
const std::vector<const Profile*>& profiles();

}  // namespace intact::image
