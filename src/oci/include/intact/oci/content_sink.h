#pragma once

#include <cstdint>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
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

/// Reads the content and keeps nothing: for trees where only the metadata matters.
class NullSink final : public ContentSink {
 public:
  Result<std::unique_ptr<File>> begin(std::uint64_t size) override;
  Result<void> wait() override { return {}; }
};

}  // namespace intact::oci
