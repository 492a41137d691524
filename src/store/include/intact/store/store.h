#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>

namespace intact::store {

class TreePack;

/// Says which image is meant and how to read it. The store keeps images by digest and does not know
/// formats: code that reads images does.
struct ImageId {
  std::string format;  ///< as in the image's labels, such as kFirstFormat
  Digest digest;       ///< what the format trusts: of a composefs image, its fs-verity digest

  auto operator<=>(const ImageId&) const = default;
};

/// The format of images whose record or lease names none: older versions had no other.
inline constexpr std::string_view kFirstFormat = "composefs-1";

/// A document among the blobs that vouches for an image, such as a manifest of signatures.
struct EvidenceRef {
  std::string kind;  ///< such as kFirstEvidence: how to read it (sign/trust.h)
  Digest document;

  bool operator==(const EvidenceRef&) const = default;
};

/// The kind of evidence in records of version 1, which had one piece at most.
inline constexpr std::string_view kFirstEvidence = "simple-signing";

/// An image under its name: the record in names/. Like everything in the store it is unverified:
/// the code that opens the image checks the chain of trust.
struct NamedImage {
  std::string name;
  Digest manifest;  ///< of the OCI manifest
  ImageId image;
  std::vector<EvidenceRef> evidence = {};  ///< in the order in which it was found
  std::string source = {};                 ///< where it was pulled from, for display
  std::int64_t created = 0;                ///< when it was pulled, seconds since 1970
  bool layers_kept = true;                 ///< whether the layer blobs are in the store
  /// Bytes of the EROFS file and its objects, including those that other images share. commit()
  /// sets it.
  std::uint64_t size = 0;
  /// Every blob that the image needs: manifest, config, layers, signatures. commit() sets it.
  std::vector<Digest> blobs = {};
  /// Foreign object directories that hold some of its objects: see Store::add_object_dir().
  std::vector<std::string> object_dirs = {};
  /// Digests of the indexes that led to the manifest, the innermost first.
  std::vector<Digest> through = {};
};

/// An object that an image refers to.
struct ImageObject {
  std::string payload = {};  ///< "ab/cdef..."
  std::uint64_t size = 0;
  Digest digest = {};     ///< fs-verity digest of its content
  std::string path = {};  ///< first path in the image that has this content
};

/// Verifies an image in the store and returns the objects that it refers to, each once. The store
/// asks this of its callers, since it knows no formats.
using ListObjects = std::function<Result<std::vector<ImageObject>>(const ImageId& image)>;

/// A directory of a store.
enum class Folder { objects, images, trees, blobs, sha256, sha512, names, staging, leases };
inline constexpr std::size_t kFolders = 9;

/// Who named a foreign object directory.
enum class DirectoryOrigin {
  user,    ///< the user of this command
  record,  ///< a record in the store, which anyone who can write to the store may have written
};

/// Who may enter the directory of a store, and thereby read every file of every image in it, those
/// of mode 0600 as well.
enum class Access {
  keep,    ///< as the store was made; a new one is private
  shared,  ///< everybody (mode 0755), from now on
};

/// A directory of images and their content:
///
///     intact-store.json      marks the directory as ours: {"version":1,"id":HEX}
///     objects/ab/cdef...     file contents by fs-verity digest, as composefs lays them out
///     images/HEX             EROFS images by fs-verity digest
///     trees/HEX              Merkle trees of that image and of its objects (tree_pack.h)
///     blobs/sha256/HEX       manifests, configs, layers, signatures by digest, as OCI does
///     names/NAME.json        the image that each name refers to (name.h has the encoding)
///     staging/, leases/, gc.lock, names.lock
///
/// Nothing in it is trusted: readers check digests. Each directory is opened once, beneath the top
/// and without following symbolic links, and used through its descriptor from then on. The top
/// directory has mode 0700 unless the store is shared. Reading needs no write access. All methods
/// are thread-safe except add_object_dir(). Other processes may work in the same store.
class Store {
 public:
  using NamedImage = store::NamedImage;

  /// not_found when `dir` is not a store (has no marker); unsupported when a newer version made it.
  /// A store of this user that others may enter without being shared is made private: notices()
  /// says so.
  static Result<std::unique_ptr<Store>> open(const std::string& dir);
  /// Makes a store of a directory that is missing or empty. A directory with other contents is
  /// refused (exists).
  static Result<std::unique_ptr<Store>> open_or_create(const std::string& dir,
                                                       Access access = Access::keep);
  /// $INTACT_STORE, else /var/lib/intact for root and $XDG_DATA_HOME/intact for others.
  static std::string default_path();
  ~Store();

  const std::string& path() const { return path_; }  ///< absolute, without symbolic links
  /// The path that it was opened by, made absolute; symbolic links in it are not resolved.
  const std::string& given_path() const { return given_path_; }
  /// Random hex digits that tell this store from others, from its marker; empty in a store that an
  /// older version made and nobody has pulled into since. Unverified.
  const std::string& id() const { return id_; }
  /// What opening changed, for people: one sentence each.
  const std::vector<std::string>& notices() const { return notices_; }

  /// not_found when the store has no such image; malformed when its record is damaged.
  Result<NamedImage> find(const std::string& name) const;
  /// All images by name. Damaged records go to `damaged`; without it the first one is the result.
  Result<std::vector<NamedImage>> list(std::vector<Error>* damaged = nullptr) const;
  /// Calls `action` while no process can change the name; false, and no call, if it does not refer
  /// to that manifest. Needs write access.
  Result<bool> while_named(const std::string& name, const Digest& manifest,
                           const std::function<void()>& action);
  /// Whether there is a record of that name, even if it is damaged or is_digest_form().
  bool has_record(const std::string& name) const;
  /// Removes the name, also one that is_digest_form(). Its content stays until garbage is
  /// collected.
  Result<void> remove(const std::string& name);

  /// The blob, hashed and compared: tampered if it is not what its name says.
  Result<Bytes> read_blob(const Digest& digest, std::uint64_t limit) const;
  Result<UniqueFd> open_blob(const Digest& digest) const;  ///< unverified
  Result<bool> has_blob(const Digest& digest) const;

  /// The EROFS file, unverified: a regular file of at most 64 GiB, for reading. tampered when
  /// something else is in its place; the same goes for blobs and objects.
  Result<UniqueFd> open_image(const Digest& image) const;
  /// The object at `payload` ("ab/cdef..."), unverified: a regular file, for reading. Neither
  /// symbolic links nor mounts are followed, nor "..". Looks into our objects/ first, then into the
  /// directories given to add_object_dir(), in order. For callers that compare the content with a
  /// digest.
  Result<UniqueFd> open_object(const std::string& payload) const;
  /// The same for content that nothing checks. It never comes from a directory that only a record
  /// names: anyone who can write to the store could name a directory of the host.
  Result<UniqueFd> open_unchecked_object(const std::string& payload) const;

  /// The Merkle tree (all blocks, as fsverity::MerkleTree has them) that was stored with `image`
  /// for `object`, or for the image itself when they are equal. Null when there is none: small
  /// files have none. Unverified: a reader checks it against the digest as it goes.
  Result<std::shared_ptr<const ByteSource>> tree_of(const Digest& image,
                                                    const Digest& object) const;

  /// Has open_object() look into a further directory of the composefs layout, which is only read.
  /// One that was added before is fine.
  Result<void> add_object_dir(const std::string& path, DirectoryOrigin origin);
  const std::vector<std::string>& object_dirs() const { return object_dir_paths_; }

  /// For the other classes of this room: a descriptor of the store's directory.
  int dir_fd() const { return dir_.get(); }
  /// One of its directories: opened at first use, then kept. not_found in a store that has only its
  /// marker; tampered where a symbolic link or anything else is in its place.
  Result<int> folder(Folder folder) const;
  int object_dir_fd(std::size_t index) const { return object_dirs_[index].fd.get(); }
  DirectoryOrigin object_dir_origin(std::size_t index) const { return object_dirs_[index].origin; }

 private:
  struct ObjectDir {
    UniqueFd fd;
    DirectoryOrigin origin;
  };

  Store(std::string path, std::string given_path, UniqueFd dir)
      : path_(std::move(path)), given_path_(std::move(given_path)), dir_(std::move(dir)) {}
  Result<UniqueFd> open_object(const std::string& payload, bool checked) const;
  Result<std::shared_ptr<const TreePack>> pack_of(const Digest& image) const;
  void keep_others_out();
  Result<void> update_marker(Access access);

  std::string path_;
  std::string given_path_;
  std::string id_;
  bool shared_ = false;
  std::vector<std::string> notices_;
  UniqueFd dir_;
  mutable std::mutex folders_mutex_;
  mutable std::array<UniqueFd, kFolders> folders_;
  std::vector<std::string> object_dir_paths_;
  std::vector<ObjectDir> object_dirs_;  // in the same order
  // The pack used last stays open: a mount asks for the trees of one image thousands of times.
  mutable std::mutex pack_mutex_;
  mutable std::optional<std::pair<Digest, std::shared_ptr<const TreePack>>> pack_;
};

}  // namespace intact::store
