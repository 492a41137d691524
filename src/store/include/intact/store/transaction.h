#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/store/store.h>

namespace intact::fsverity {
struct MerkleTree;
class TreeBuilder;
}  // namespace intact::fsverity

namespace intact::store {

class Staging;

struct StagedObject {
  Digest digest;           ///< fs-verity digest (sha256, 4096-byte blocks, no salt)
  std::uint64_t size = 0;  ///< bytes
};

/// Content on its way into the store, hashed as it comes. One thread at a time; different writers
/// of a transaction may be used by different threads. Must not outlive its transaction. Dropped
/// without finish() it leaves nothing.
class ObjectWriter {
 public:
  ~ObjectWriter();
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  Result<void> write(ByteSpan bytes);
  /// Ends the object and stages it. Content that the store or the transaction has already is not
  /// stored again, once the copy there has been hashed and found good. Call once.
  Result<StagedObject> finish();

 private:
  friend class Transaction;
  explicit ObjectWriter(Staging& staging);
  Result<void> flush();

  Staging& staging_;
  std::unique_ptr<fsverity::TreeBuilder> tree_;
  Bytes buffer_;  // content not yet written; small objects never get a file before finish()
  UniqueFd fd_;
  std::string file_;  // name in the staging directory, empty while there is none
  std::uint64_t size_ = 0;
};

/// A blob on its way into the store. As ObjectWriter, for threads and lifetime.
class BlobWriter {
 public:
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  Result<void> write(ByteSpan bytes);
  /// The same without a copy, for content that is read from somewhere: lends memory for its next
  /// bytes, at least one, and takes the `size` first of them. While these are hashed and written
  /// the next can be read. Valid until take().
  MutableByteSpan space();
  Result<void> take(std::size_t size);
  /// Bytes that it has: of continue_blob() there may be some from the start.
  std::uint64_t size() const { return size_; }
  /// tampered, and nothing staged, if what was written does not hash to `expected`. Call once.
  Result<void> finish(const Digest& expected);
  /// What was written is wrong: no later attempt begins with it.
  void reject();

 private:
  friend class Transaction;
  struct Hashing;
  BlobWriter(Staging& staging, UniqueFd fd, std::string file);

  Staging& staging_;
  std::unique_ptr<Hashing> hashing_;
  UniqueFd fd_;
  std::string file_;
  std::uint64_t size_ = 0;
  std::optional<Digest> part_;  ///< the blob whose part others find
};

/// What somebody else does about a name while it gets its meaning: no other commit comes in
/// between, of no process.
struct NamingHooks {
  std::function<Result<void>()> before;  ///< an error ends the commit, the name stays what it was
  std::function<void()> after;           ///< the name has its meaning, durably
};

/// One image on its way into the store. Everything is staged in a private directory that a lock
/// tells apart from what a dead process left, then published by rename and made durable by one
/// syncfs, the name last: a crash at any instant leaves garbage at most. Destroyed without commit()
/// it leaves nothing. All methods are thread-safe except commit(), which comes last. The store
/// must outlive it.
class Transaction {
 public:
  static Result<std::unique_ptr<Transaction>> begin(Store& store);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Result<std::unique_ptr<ObjectWriter>> new_object();
  /// The same for content that is in memory.
  Result<StagedObject> add_object(ByteSpan content);
  /// The same for many, in that order: small ones are hashed side by side.
  Result<std::vector<StagedObject>> add_objects(std::span<const ByteSpan> contents);
  /// Takes an object that the store (or a directory of Store::add_object_dir()) has, after hashing
  /// it. It stays ours even if garbage is collected meanwhile. False when there is none or it is
  /// damaged: it must be written anew, and commit() replaces the damaged one.
  Result<bool> reuse_object(const Digest& digest, std::uint64_t size);

  /// tampered if `content` does not hash to `digest`.
  Result<void> add_blob(const Digest& digest, ByteSpan content);
  /// `algorithm` is that of the digest that finish() will be given.
  Result<std::unique_ptr<BlobWriter>> new_blob(HashAlgorithm algorithm = HashAlgorithm::sha256);
  /// The same for a blob that takes long to arrive: begins with what an attempt that ended early
  /// has got of it, `size` bytes at most, which is copied and hashed. What is written is found by
  /// later attempts, also after this process was killed, until the blob has been committed or
  /// rejected, or garbage is collected.
  Result<std::unique_ptr<BlobWriter>> continue_blob(const Digest& digest, std::uint64_t size);
  /// As reuse_object(), for a blob.
  Result<bool> reuse_blob(const Digest& digest, std::uint64_t size);
  /// A blob that has been staged, for reading: what was hashed on its way in.
  Result<UniqueFd> open_blob(const Digest& digest) const;
  /// Takes a staged blob out again: a layer that is not to be kept.
  Result<void> drop_blob(const Digest& digest);

  /// The EROFS image with its Merkle tree (fsverity::build with keep_blocks). One a transaction.
  Result<void> add_image(ByteSpan image, const fsverity::MerkleTree& tree);

  /// Publishes. `objects` are those that the image refers to: each must have been staged
  /// (invalid_argument if not); others that were staged are dropped. `image.image` is the one
  /// added; `image.blobs` and `image.object_dirs` are filled in here. A name that stands for
  /// another manifest: exists, unless `replace`. After an error the transaction is of no use.
  /// `hooks` may be empty; they must not use the store.
  Result<void> commit(const NamedImage& image, bool replace, const std::vector<Digest>& objects,
                      const NamingHooks& hooks = {});

 private:
  explicit Transaction(std::unique_ptr<Staging> staging);
  std::unique_ptr<Staging> staging_;
};

}  // namespace intact::store
