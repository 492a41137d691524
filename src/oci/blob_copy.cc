#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/crypto/hash.h>
#include <intact/oci/blob_copy.h>

namespace intact::oci {
namespace {

constexpr std::uint64_t kInMemory = 16 * 1024 * 1024;  // bytes
constexpr std::size_t kPiece = 1024 * 1024;
// For less, waking a thread costs more than hashing.
constexpr std::uint64_t kHashBeside = 512 * 1024;

Error wrong_size(const Descriptor& descriptor, const char* than) {
  return Error(ErrorKind::tampered, descriptor.digest.to_string() + ": the blob is " + than +
                                        " than the " + std::to_string(descriptor.size) +
                                        " bytes it should have");
}

Result<UniqueFd> new_file(int directory) {
  return directory < 0 ? unnamed_temporary_file() : unnamed_file(directory);
}

}  // namespace

Result<void> read_hashed(ByteStream& stored, const Descriptor& descriptor,
                         const std::function<Result<void>(ByteSpan)>& use) {
  crypto::Hasher hasher(descriptor.digest.algorithm());
  std::array<Bytes, 2> pieces;       // one is filled while the other is hashed
  std::optional<WorkerPool> beside;  // the last to be made: it uses the others until it ends
  std::uint64_t left = descriptor.size;
  for (std::size_t at = 0;; at ^= 1) {
    Bytes& piece = pieces[at];
    // One byte more than there should be, so that a longer blob is noticed.
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, left + 1)));
    const std::size_t n = TRY(read_fully(stored, piece));
    if (n > left) return wrong_size(descriptor, "longer");
    left -= n;
    if (beside) TRY(beside->wait());
    if (n == 0) break;
    const ByteSpan bytes = ByteSpan(piece).first(n);
    if (n < kHashBeside) {
      hasher.update(bytes);
    } else {
      if (!beside) beside.emplace(1);
      beside->submit([&hasher, bytes]() -> Result<void> {
        hasher.update(bytes);
        return {};
      });
    }
    TRY(use(bytes));
  }
  if (left != 0) return wrong_size(descriptor, "shorter");
  if (const Digest actual = hasher.finish(); actual != descriptor.digest)
    return Error(ErrorKind::tampered,
                 descriptor.digest.to_string() + ": the blob's digest is " + actual.to_string());
  return {};
}

Result<BlobCopy> BlobCopy::read(ByteStream& stored, const Descriptor& descriptor,
                                const BlobProgress& progress, int directory) {
  BlobCopy copy;
  copy.size_ = descriptor.size;
  if (descriptor.size > kInMemory) {
    copy.file_ = TRY(new_file(directory));
  } else {
    copy.bytes_.reserve(static_cast<std::size_t>(descriptor.size));
  }
  TRY(read_hashed(stored, descriptor, [&](ByteSpan bytes) -> Result<void> {
    if (copy.file_) {
      TRY(write_all(copy.file_.get(), bytes).context("copy of a blob"));
    } else {
      copy.bytes_.insert(copy.bytes_.end(), bytes.begin(), bytes.end());
    }
    return progress ? progress(bytes.size()) : Result<void>();
  }));
  return copy;
}

Result<BlobCopy> BlobCopy::read_file(UniqueFd file, const Descriptor& descriptor,
                                     const BlobProgress& progress, int directory) {
  if (descriptor.size > kInMemory) {
    BlobCopy copy;
    copy.size_ = descriptor.size;
    copy.file_ = TRY(new_file(directory));
    if (::ioctl(copy.file_.get(), FICLONE, file.get()) == 0) {
      FileStream clone(TRY(duplicate_fd(copy.file_.get())));
      TRY(read_hashed(clone, descriptor, [&](ByteSpan bytes) {
        return progress ? progress(bytes.size()) : Result<void>();
      }));
      return copy;
    }
  }
  FileStream stored(std::move(file));
  return read(stored, descriptor, progress, directory);
}

BlobCopy BlobCopy::of_own_file(UniqueFd file, std::uint64_t size) {
  BlobCopy copy;
  copy.file_ = std::move(file);
  copy.size_ = size;
  return copy;
}

std::unique_ptr<ByteStream> BlobCopy::open() && {
  if (!file_) return std::make_unique<MemoryStream>(std::move(bytes_));
  return std::make_unique<FileStream>(std::move(file_), 0, size_);
}

}  // namespace intact::oci
