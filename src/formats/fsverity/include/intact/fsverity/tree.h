#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/crypto/block_hasher.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// What was computed over the content of a file.
struct MerkleTree {
  std::uint64_t data_size = 0;  ///< bytes
  Digest digest = {};           ///< of the descriptor: the file's fs-verity digest
  /// All levels, top level first, as FS_IOC_READ_VERITY_METADATA returns them. Empty for files of
  /// at most one block, and if the blocks were not requested.
  Bytes blocks = {};
  RawDescriptor descriptor = {};  ///< what `digest` is the hash of
};

/// Builds the tree of content that arrives in pieces of any size; its length need not be known.
/// Content is hashed in large runs of blocks. Without kept blocks it takes about 128 KiB a level.
/// Not thread-safe.
///
///     TreeBuilder builder;
///     while (more) builder.update(piece);
///     const Digest digest = builder.finish().digest;
class TreeBuilder {
 public:
  /// The params must have passed check_params (of either kind). `keep_blocks`: finish() also
  /// returns the hash blocks.
  explicit TreeBuilder(Params params = {}, bool keep_blocks = false);

  void update(ByteSpan content);
  /// Adds the next `size` bytes of content by the hashes of their blocks, which the caller has
  /// computed. Everything before must be whole blocks; after a partial block nothing may follow.
  void update_hashed(ByteSpan hashes, std::uint64_t size);
  MerkleTree finish();  ///< the builder can then be used again

 private:
  /// The hashes in one level, those of the data blocks first.
  struct Level {
    Bytes hashes;
    std::size_t hashed = 0;  ///< bytes at the front that have been hashed into the level above
  };

  void add_hashes_of(std::size_t level, ByteSpan blocks);
  void hash_up(std::size_t level);
  std::size_t finish_level(std::size_t level);
  Bytes collect(std::size_t top);

  Params params_;
  crypto::BlockHasher hasher_;
  bool keep_blocks_;
  std::size_t run_;  ///< bytes that are hashed at once where there is a choice
  std::uint64_t data_size_ = 0;
  Bytes pending_;  ///< content not yet hashed, less than a run
  std::vector<Level> levels_;
};

/// The fs-verity digest of content in memory. The params must be checked ones.
Digest digest_of(ByteSpan content, const Params& params = {});

/// Builds the trees of many small contents and hashes their blocks in parallel lanes: several times
/// as fast as one after the other. Not thread-safe.
///
///     TreeBatch batch;
///     for (const Input& input : inputs) input.read(batch.add(input.size));
///     const std::vector<MerkleTree> trees = batch.finish();
class TreeBatch {
 public:
  /// Maximum size of a content, in bytes.
  static constexpr std::size_t kMaxContent = 128 << 10;

  /// The params must be checked ones with blocks of at most kMaxContent bytes.
  explicit TreeBatch(const Params& params = {}, bool keep_blocks = false);

  /// Where the caller must put a content of `size` bytes. Valid until the next call.
  MutableByteSpan add(std::size_t size);
  /// The trees in the order of the contents. The batch is then empty and keeps its memory.
  std::vector<MerkleTree> finish();

 private:
  void hash_run();

  crypto::BlockHasher hasher_;
  TreeBuilder builder_;
  std::unique_ptr<std::byte[]> run_;  ///< contents with padded ends, not yet hashed
  std::size_t used_ = 0;
  std::vector<std::size_t> sizes_;
  Bytes hashes_;
};

/// The trees of contents in memory, in the same order; small ones are hashed as by TreeBatch.
std::vector<MerkleTree> build_trees(std::span<const ByteSpan> contents);

/// The fs-verity digest of an open regular file or block device, read from byte 0 with pread. The
/// descriptor's position is not used. A file that shrinks in the meantime is an io error.
/// `threads`: maximum number for a large file; 0: one per processor.
Result<Digest> digest_file(int fd, const Params& params = {}, unsigned threads = 1);

/// The same, and returns the whole tree. If the hash blocks are kept, they take 1/127 of the size
/// of the file in memory, with default params.
Result<MerkleTree> build_tree(int fd, const Params& params = {}, bool keep_blocks = true,
                              unsigned threads = 1);

/// Bytes of MerkleTree::blocks for a file of `data_size` (at most INT64_MAX) bytes.
std::uint64_t tree_size(std::uint64_t data_size, const Params& params = {});

}  // namespace intact::fsverity
