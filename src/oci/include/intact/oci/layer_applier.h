#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/oci/entry_observer.h>
#include <intact/oci/tar_reader.h>
#include <intact/tree/tree.h>

namespace intact::oci {

/// Receives the content of regular files while layers are applied. Empty files are not shown to it.
/// All calls come from one thread, one file after the other; the work behind may go on elsewhere.
class ContentSink {
 public:
  virtual ~ContentSink() = default;

  class File {
   public:
    virtual ~File() = default;
    virtual Result<void> write(ByteSpan bytes) = 0;
    /// All bytes were written. Sets the inode's content, or payload and digest: now or on another
    /// thread, but before ContentSink::wait() returns. The inode may turn out to be unused (later
    /// layers replace it) and other names may be given to it at any time.
    virtual Result<void> finish(const tree::InodePtr& inode) = 0;
  };

  /// Begins a file of `size` bytes (not 0). A File destroyed without finish() is to be forgotten.
  virtual Result<std::unique_ptr<File>> begin(std::uint64_t size) = 0;
  /// Blocks until every finished file has been dealt with.
  virtual Result<void> wait() = 0;
};

/// What all layers of one image together may cost.
struct LayerLimits {
  TarLimits tar;                      ///< for each layer; `hole_bytes` for all of them
  std::uint64_t entries = 4'000'000;  ///< of all layers, and the directories they imply
  /// Names, link targets and xattrs of all entries, each xattr with tree::kXattrCost more.
  std::uint64_t metadata_bytes = tree::kMaxMetadata;
  std::uint32_t name_bytes = 255;     ///< one component of a path
  std::uint32_t path_bytes = 4095;    ///< a path after symlinks were resolved
  std::uint32_t depth = 1024;         ///< components of a path
  std::uint32_t symlinks = 40;        ///< followed for one path, as in the kernel
  std::uint32_t xattr_bytes = 32755;  ///< of one file, each with 7 bytes more: what EROFS holds
  std::size_t warnings = 100;         ///< later ones are only counted
  /// Warn of archives without (all of) their end mark: those for which no digest vouches.
  bool warn_without_end_mark = false;
};

/// Applies layers, base first, to a tree in memory. No file system is touched, so names and links
/// of a hostile layer lead nowhere. Each layer is read into a tree of its own and then merged:
/// whiteouts and opaque markers hide lower layers only, wherever they are in the archive.
///
/// - Parents that are symlinks are followed within the root, in the union of what is below and what
///   the layer has said so far, as an extractor in a chroot would: with lib -> usr/lib the entry
///   lib/x becomes usr/lib/x. A parent that is any other non-directory is malformed.
/// - Missing parents get mode 0755, owner 0:0, mtime 0.
/// - Symlinks have mode 0777 whatever the archive says: no file system could hold another.
/// - Hard links share the inode of their target, which may be in a lower layer; the entry's own
///   attributes are ignored. Links into /.wh..wh.plnk, where AUFS kept files with several names,
///   share the file that the layer has there; the directory itself is left out.
/// - xattrs are kept under their own names. `trusted.overlay.*` is escaped by the composefs writer
///   and `user.overlay.*` is left as it is: the former would otherwise steer overlayfs, the latter
///   has no effect in the mounts that composefs images are for.
///   For the same reason a character device 0:0 stays one in the tree: the writer escapes it.
///
/// Not thread-safe. After an error neither the applier nor the tree may be used.
class LayerApplier {
 public:
  /// `tree`, `sink` and `observer` (which may be null) must outlive the applier. The tree is an
  /// empty one, or one with layers.
  explicit LayerApplier(tree::Tree& tree, ContentSink& sink, const LayerLimits& limits = {},
                        EntryObserver* observer = nullptr);
  ~LayerApplier();

  /// Applies one layer: a tar, already decompressed. The stream is read to its end, so that a hash
  /// over it is complete. Errors name the entry: malformed, unsupported, limit, or the stream's.
  Result<void> apply(ByteStream& uncompressed_tar);

  /// After the last layer: waits for the sink and sets link counts and primary names.
  Result<void> finish();

  /// What was odd but clear: entries that appear twice, textual ACLs.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  class Layer;

  tree::Tree& tree_;
  ContentSink& sink_;
  LayerLimits limits_;
  EntryObserver* observer_;
  std::uint64_t entries_ = 0;
  std::uint64_t metadata_bytes_ = 0;
  std::uint64_t hole_bytes_ = 0;
  std::vector<std::string> warnings_;
  std::uint64_t dropped_warnings_ = 0;
};

}  // namespace intact::oci
