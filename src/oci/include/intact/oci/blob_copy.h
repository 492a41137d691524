#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/base/unique_fd.h>
#include <intact/oci/descriptor.h>

namespace intact::oci {

/// Told of bytes that have been read; an error from it ends the reading. May be empty.
using BlobProgress = std::function<Result<void>(std::uint64_t bytes)>;

/// A blob that was read once, and hashed, into a place that nobody else can change: memory when it
/// is small, otherwise a file without a name. Sources are not trusted, so whatever is hashed first
/// and used later is used from such a copy: a second open of the source could show other bytes.
class BlobCopy {
 public:
  /// Reads `stored` to its end. tampered unless the bytes have the size and digest of
  /// `descriptor`. A large one is kept in an unnamed file in `directory`, a descriptor, or with -1
  /// where temporary files belong.
  static Result<BlobCopy> read(ByteStream& stored, const Descriptor& descriptor,
                               const BlobProgress& progress = {}, int directory = -1);
  /// The same for a blob that is a file of its own; a large one is cloned where the file system
  /// can.
  static Result<BlobCopy> read_file(UniqueFd file, const Descriptor& descriptor,
                                    const BlobProgress& progress = {}, int directory = -1);
  /// Takes a file that only this process can write to and whose bytes it has hashed.
  static BlobCopy of_own_file(UniqueFd file, std::uint64_t size);

  /// The bytes, from the start. Uses up the copy.
  std::unique_ptr<ByteStream> open() &&;

 private:
  BlobCopy() = default;

  Bytes bytes_;  // while there is no file
  UniqueFd file_;
  std::uint64_t size_ = 0;
};

/// Reads a blob to its end, hashing it beside the work of `use`; tampered unless it has the size
/// and digest of `descriptor`. `use` gets the bytes in order and must not believe them before this
/// returns.
Result<void> read_hashed(ByteStream& stored, const Descriptor& descriptor,
                         const std::function<Result<void>(ByteSpan)>& use);

}  // namespace intact::oci
