#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/fsverity/tree.h>
#include <intact/store/store.h>
#include <intact/store/transaction.h>

#include "tree_pack.h"

namespace intact::store {

/// The private directory of a transaction and its files. Objects are there as they will be in the
/// store, below the first two digits of their digest, so that a directory that the store lacks is
/// published by one rename. Other files are numbered, since their digests are known only once they
/// are complete. Thread-safe.
class Staging {
 public:
  struct Object {
    bool complete = false;  // otherwise only claimed: somebody is at it, or has failed
    std::string file;       // empty: it is in a directory of Store::add_object_dir()
    std::uint64_t size = 0;
    std::uint64_t tree_offset = 0;  // in the pack
    std::uint64_t tree_length = 0;  // 0: no tree
    bool linked = false;            // `file` is a further link to an object of the store
  };
  struct NewFile {
    UniqueFd fd;  // for writing
    std::string name;
  };

  static Result<std::unique_ptr<Staging>> create(Store& store);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  Store& store() const { return store_; }
  int fd() const { return dir_.get(); }

  Result<NewFile> new_file();
  void drop_file(const std::string& name);
  /// Has the kernel begin to write a file to the disk, so that commit waits less. Promises nothing.
  static void begin_write_back(const UniqueFd& fd);
  /// Closes a file whose content is complete and has the kernel protect it where it can.
  void seal_file(UniqueFd fd, const std::string& name);

  /// Stages an object. One that the transaction has or that the store has, good, is not stored
  /// again. While another thread is at the same content there is nothing to do: should that fail,
  /// so will commit().
  Result<void> add_content(const fsverity::MerkleTree& tree, ByteSpan content);
  /// The same for content that is in a file of new_file(), which is taken over.
  Result<void> add_file(const fsverity::MerkleTree& tree, UniqueFd fd, const std::string& file);
  Result<bool> reuse_object(const Digest& digest, std::uint64_t size);

  bool has_blob(const Digest& digest) const;
  void add_blob(const Digest& digest, std::string file);
  Result<bool> reuse_blob(const Digest& digest, std::uint64_t size);
  Result<UniqueFd> open_blob(const Digest& digest) const;
  Result<void> drop_blob(const Digest& digest);

  /// What an attempt that ended early has got of a blob; nothing if there is none. Its content is
  /// to be believed as little as that of the source.
  Result<UniqueFd> open_part(const Digest& digest) const;
  /// Has open_part() of other transactions find a file of this one, until it commits. Where that
  /// fails they start from the beginning.
  void keep_part(const Digest& digest, const std::string& file);
  void drop_part(const Digest& digest);

  Result<void> add_image(ByteSpan image, const fsverity::MerkleTree& tree);

  Result<void> commit(NamedImage image, bool replace, const std::vector<Digest>& objects,
                      const NamingHooks& hooks);

 private:
  /// A file of the staging directory and where in the store it is to go: "HEX" or "ab/cdef...".
  struct Replacement {
    std::string file;
    Folder folder;
    std::string path;
  };
  using Replacements = std::vector<Replacement>;

  Staging(Store& store, std::string name);

  std::string next_name();
  Result<NewFile> create_file(std::string name);
  /// True for the first who asks: that one stages the object, or abandons it with what it made.
  bool claim_object(const Digest& digest);
  void abandon_object(const Digest& digest);
  Result<void> complete_object(const fsverity::MerkleTree& tree, const std::string& file,
                               bool linked);
  /// Completes a claimed object with a good one that is there already.
  Result<bool> reuse_claimed(const Digest& digest, std::uint64_t size);
  Result<void> write_claimed(const fsverity::MerkleTree& tree, ByteSpan content);
  Result<void> move_claimed(const fsverity::MerkleTree& tree, UniqueFd fd, const std::string& file);
  /// Makes the directory of an object where it is missing.
  Result<void> prepare_object_dir(const Digest& digest);
  /// Hard-links the store's object into its place here; false when there is none or it cannot be
  /// linked.
  bool link_object(const Digest& digest);
  Result<void> check_name_free(const NamedImage& image, bool replace) const;
  Result<std::vector<Digest>> check_objects(NamedImage& image,
                                            const std::vector<Digest>& objects) const;
  Result<void> finish_pack(const std::vector<Digest>& objects);
  /// Moves everything into its place where nothing is yet; the rest goes to `later`.
  Result<void> publish(const NamedImage& image, const std::vector<Digest>& objects,
                       Replacements& later);
  Result<void> publish_objects(const std::vector<Digest>& objects, Replacements& later);
  /// Moves all objects of a directory at once; false if the store has such a directory already.
  Result<bool> publish_directory(const std::string& name);
  Result<void> publish_object(const Digest& digest, Replacements& later);
  /// Removes the objects that have been staged but are not among these (sorted).
  void drop_other_objects(const std::vector<Digest>& objects);
  Result<void> publish_file(const std::string& file, Folder folder, const std::string& path,
                            Replacements& later);
  Result<void> replace_files(const Replacements& files);
  Result<void> sync() const;
  void drop_parts();

  Store& store_;
  std::string name_;  // in staging/
  UniqueFd dir_;
  UniqueFd lock_;  // held as long as the transaction lives: garbage collection looks at it
  pid_t owner_;
  bool needs_chmod_ = false;
  std::atomic<bool> may_enable_verity_ = true;
  std::atomic<std::uint64_t> next_file_ = 0;

  std::mutex object_dirs_mutex_;  // guards the next two; by first byte of the digest
  std::bitset<256> object_dirs_;  // have been made
  std::bitset<256> store_lacks_;  // the store had no such directory then

  mutable std::mutex mutex_;  // guards the maps
  std::unordered_map<Digest, Object> objects_;
  std::unordered_map<Digest, std::string> blobs_;  // file names
  std::vector<Digest> parts_;                      // that were kept
  std::optional<PackEntry> image_;                 // its entry in the pack
  std::string image_file_;
  std::string pack_file_;
  std::optional<PackWriter> pack_;
};

}  // namespace intact::store
