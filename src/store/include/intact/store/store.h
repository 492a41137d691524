#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>

namespace intact::store {

class TreePack;

/// An image under its name: the record in names/. What it says is unverified, as all of the store:
/// the chain of trust is walked by whoever opens the image.
struct NamedImage {
  std::string name;
  Digest manifest;                                ///< of the OCI manifest
  Digest image;                                   ///< fs-verity digest of the EROFS file
  std::optional<Digest> signature_manifest = {};  ///< of the OCI manifest that holds the signatures
  std::string source = {};                        ///< where it was pulled from, for people
  std::int64_t created = 0;                       ///< when it was pulled, seconds since 1970
  bool layers_kept = true;                        ///< whether the layer blobs are in the store
  /// Bytes of the EROFS file and its objects; what other images share is counted, too. commit()
  /// fills it in.
  std::uint64_t size = 0;
  /// Every blob that the image needs: manifest, config, layers, signatures. commit() fills it in.
  std::vector<Digest> blobs = {};
  /// Foreign object directories that hold some of its objects: see Store::add_object_dir().
  std::vector<std::string> object_dirs = {};
};

/// A directory of images and their content:
///
///     intact-store.json      marks the directory as ours: {"version":1}
///     objects/ab/cdef...     file contents by fs-verity digest, as composefs lays them out
///     images/HEX             EROFS images by fs-verity digest
///     trees/HEX              Merkle trees of that image and of its objects (tree_pack.h)
///     blobs/sha256/HEX       manifests, configs, layers, signatures by digest, as OCI does
///     names/NAME.json        what the names stand for (name.h has the encoding)
///     staging/, leases/, gc.lock, names.lock
///
/// Nothing in it is trusted: whoever reads checks digests. Reading needs no write access. All
/// methods are thread-safe, but for add_object_dir(). Other processes may work in the same store.
class Store {
 public:
  using NamedImage = store::NamedImage;

  /// not_found when `dir` is no store (no marker in it); unsupported when a newer version made it.
  static Result<std::unique_ptr<Store>> open(const std::string& dir);
  /// Makes a store of a directory that is missing or empty. A directory with other things in it is
  /// refused (exists).
  static Result<std::unique_ptr<Store>> open_or_create(const std::string& dir);
  /// $INTACT_STORE, else /var/lib/intact for root and $XDG_DATA_HOME/intact for others.
  static std::string default_path();
  ~Store();

  const std::string& path() const { return path_; }  ///< absolute, without symlinks

  /// not_found when there is no image of that name; malformed when its record is damaged.
  Result<NamedImage> find(const std::string& name) const;
  /// All images by name. Damaged records go to `damaged`; without it the first one is the result.
  Result<std::vector<NamedImage>> list(std::vector<Error>* damaged = nullptr) const;
  /// Forgets the name. What it stood for stays until garbage is collected.
  Result<void> remove(const std::string& name);

  /// The blob, hashed and compared: tampered if it is not what its name says.
  Result<Bytes> read_blob(const Digest& digest, std::uint64_t limit) const;
  Result<UniqueFd> open_blob(const Digest& digest) const;  ///< unverified
  Result<bool> has_blob(const Digest& digest) const;

  /// The EROFS file, unverified: a regular file of at most 64 GiB, for reading. tampered when
  /// something else stands in its place. So with blobs and objects.
  Result<UniqueFd> open_image(const Digest& image) const;
  /// The object at `payload` ("ab/cdef..."), unverified: a regular file, for reading. Neither
  /// symlinks nor mounts are followed, nor "..". Looks into our objects/ first, then into the
  /// directories given to add_object_dir(), in order.
  Result<UniqueFd> open_object(const std::string& payload) const;

  /// The Merkle tree (all blocks, as fsverity::MerkleTree has them) that was stored with `image`
  /// for `object`, or for the image itself when they are equal. Null when there is none: small
  /// files have none. Unverified: a reader checks it against the digest as it goes.
  Result<std::shared_ptr<const ByteSource>> tree_of(const Digest& image,
                                                    const Digest& object) const;

  /// Has open_object() look into a further directory of the composefs layout, which is only read.
  /// One that is there already is fine.
  Result<void> add_object_dir(const std::string& path);
  const std::vector<std::string>& object_dirs() const { return object_dir_paths_; }

  /// For the other classes of this room: a descriptor of the store's directory.
  int dir_fd() const { return dir_.get(); }
  int objects_fd() const { return objects_.get(); }  ///< -1 in a store that is only its marker
  int object_dir_fd(std::size_t index) const { return object_dirs_[index].get(); }

 private:
  Store(std::string path, UniqueFd dir) : path_(std::move(path)), dir_(std::move(dir)) {}
  Result<std::shared_ptr<const TreePack>> pack_of(const Digest& image) const;

  std::string path_;
  UniqueFd dir_;
  UniqueFd objects_;
  std::vector<std::string> object_dir_paths_;
  std::vector<UniqueFd> object_dirs_;
  // The pack used last stays open: a mount asks for trees of one image, thousands of times.
  mutable std::mutex pack_mutex_;
  mutable std::optional<std::pair<Digest, std::shared_ptr<const TreePack>>> pack_;
};

}  // namespace intact::store
