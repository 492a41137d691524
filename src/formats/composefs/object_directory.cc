#include "object_directory.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/composefs/scan.h>
#include <intact/fsverity/tree.h>

namespace intact::composefs {
namespace {

constexpr std::size_t kCopySize = 256 * 1024;
/// A batch ends at either: what a killed process leaves behind has a limit.
constexpr std::size_t kBatchObjects = 16384;
constexpr std::uint64_t kBatchBytes = std::uint64_t{1} << 30;

/// Whether an ioctl says that the file system, or this pair of them, lacks it.
bool is_lacking(int error) {
  return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == EINVAL ||
         error == ENOSYS;
}

std::string object_name(const Digest& digest) {
  return digest.hex().substr(2);
}

Result<void> copy_bytes(int from, int to) {
  std::vector<std::byte> buffer(kCopySize);
  for (std::uint64_t offset = 0;;) {
    const std::size_t count = TRY(pread_up_to(from, offset, buffer));
    if (count == 0) return {};
    TRY(pwrite_all(to, offset, ByteSpan(buffer).first(count)));
    offset += count;
  }
}

/// By the kernel's copy or through our memory, whichever works.
Result<void> copy_content(int from, int to) {
  const std::uint64_t size = TRY(file_size(from));
  loff_t in = 0;
  loff_t out = 0;
  while (static_cast<std::uint64_t>(in) < size) {
    const ssize_t count = ::copy_file_range(from, &in, to, &out, size - in, 0);
    if (count < 0 && errno == EINTR) continue;
    // Some kernels copy nothing between some file systems and call that success.
    if (count <= 0) return copy_bytes(from, to);
  }
  return {};
}

}  // namespace

ObjectDirectory::ObjectDirectory(UniqueFd fd) : fd_(std::move(fd)) {}

ObjectDirectory::~ObjectDirectory() {
  for (const Pending& object : pending_) ::unlinkat(fd_.get(), object.temporary.c_str(), 0);
}

Result<std::unique_ptr<ObjectDirectory>> ObjectDirectory::open(const std::string& path) {
  TRY(make_directories(path, 0755));
  std::unique_ptr<ObjectDirectory> opened(
      new ObjectDirectory(TRY(open_file(path, O_RDONLY | O_DIRECTORY))));
  opened->prefix_ = random_name(".tmp") + "-";
  return opened;
}

std::string ObjectDirectory::temporary_name() {
  return prefix_ + std::to_string(next_.fetch_add(1, std::memory_order_relaxed));
}

/// The folder of an object, which stays open; never one behind a symlink.
Result<int> ObjectDirectory::folder(const Digest& digest) {
  const auto first = std::to_integer<std::size_t>(digest.bytes()[0]);
  const std::lock_guard lock(mutex_);
  if (folders_[first]) return folders_[first].get();
  const std::string name = digest.hex().substr(0, 2);
  if (::mkdirat(fd_.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::from_errno("object directory " + name, errno);
  folders_[first] = TRY(
      open_at(fd_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).context("object directory"));
  return folders_[first].get();
}

/// Whether the object is still to be written; from then on it is not.
Result<bool> ObjectDirectory::is_wanted(const Digest& digest) {
  {
    const std::lock_guard lock(mutex_);
    if (!taken_.insert(digest).second) return false;
  }
  struct stat st;
  return ::fstatat(TRY(folder(digest)), object_name(digest).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0;
}

Result<void> ObjectDirectory::add(int source, const Digest& digest) {
  if (!TRY(is_wanted(digest))) return {};
  std::string temporary = temporary_name();
  const auto written = [&]() -> Result<std::uint64_t> {
    const UniqueFd object = TRY(open_at(fd_.get(), temporary, O_RDWR | O_CREAT | O_EXCL, 0600));
    TRY(fill(source, object.get(), digest));
    if (::fchmod(object.get(), 0644) != 0) return Error::from_errno("chmod", errno);
    return file_size(object.get());
  }();
  if (!written) {
    ::unlinkat(fd_.get(), temporary.c_str(), 0);
    return written.error();
  }
  return keep(std::move(temporary), digest, *written);
}

Result<void> ObjectDirectory::add(ByteSpan content, const Digest& digest) {
  if (!TRY(is_wanted(digest))) return {};
  std::string temporary = temporary_name();
  const auto written = [&]() -> Result<void> {
    const UniqueFd object = TRY(open_at(fd_.get(), temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
    TRY(pwrite_all(object.get(), 0, content));
    if (::fchmod(object.get(), 0644) != 0) return Error::from_errno("chmod", errno);
    return {};
  }();
  if (!written) {
    ::unlinkat(fd_.get(), temporary.c_str(), 0);
    return written.error();
  }
  return keep(std::move(temporary), digest, content.size());
}

/// By sharing blocks or by copying; checks what has arrived.
Result<void> ObjectDirectory::fill(int source, int object, const Digest& digest) {
  bool cloned = false;
  if (may_clone()) {
    cloned = ::ioctl(object, FICLONE, source) == 0;
    if (!cloned && is_lacking(errno)) may_clone_ = false;
  }
  if (!cloned) TRY(copy_content(source, object));
  if (TRY(fsverity::digest_file(object)) == digest) return {};
  return Error(ErrorKind::io, "the file changed while it was being copied");
}

/// Asks the file system to check the object at every read. Only a file that nobody has open for
/// writing can have that.
void ObjectDirectory::try_enable_verity(const std::string& name) {
  if (!may_have_verity_.load(std::memory_order_relaxed)) return;
  const auto fd = open_at(fd_.get(), name, O_RDONLY | O_NOFOLLOW);
  if (!fd) return;
  fsverity_enable_arg arg{};
  arg.version = 1;
  arg.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
  arg.block_size = fsverity::kDefaultBlockSize;
  if (::ioctl(fd->get(), FS_IOC_ENABLE_VERITY, &arg) != 0 && is_lacking(errno))
    may_have_verity_ = false;
}

Result<void> ObjectDirectory::keep(std::string temporary, const Digest& digest,
                                   std::uint64_t size) {
  try_enable_verity(temporary);
  std::vector<Pending> batch;
  {
    const std::lock_guard lock(mutex_);
    pending_.push_back({std::move(temporary), digest});
    pending_bytes_ += size;
    if (pending_.size() < kBatchObjects && pending_bytes_ < kBatchBytes) return {};
    batch = std::exchange(pending_, {});
    pending_bytes_ = 0;
  }
  return publish(batch);
}

/// Makes the contents durable, then gives them their names.
Result<void> ObjectDirectory::publish(const std::vector<Pending>& batch) {
  Result<void> outcome;
  if (!batch.empty() && ::syncfs(fd_.get()) != 0) outcome = Error::from_errno("syncfs", errno);
  for (const Pending& object : batch) {
    const auto publish_one = [&]() -> Result<void> {
      const int to = TRY(folder(object.digest));
      const std::string name = object_name(object.digest);
      const char* const from = object.temporary.c_str();
      if (::renameat2(fd_.get(), from, to, name.c_str(), RENAME_NOREPLACE) == 0) return {};
      // Another writer was faster: its object is as good. A file system without the flag replaces.
      if (errno == EEXIST) {
        ::unlinkat(fd_.get(), from, 0);
        return {};
      }
      if (errno != EINVAL || ::renameat(fd_.get(), from, to, name.c_str()) != 0)
        return Error::from_errno("object " + object_path(object.digest), errno);
      return {};
    };
    if (outcome) outcome = publish_one();
    if (!outcome) ::unlinkat(fd_.get(), object.temporary.c_str(), 0);
  }
  return outcome;
}

Result<void> ObjectDirectory::sync() {
  const bool added = next_ != 0;
  pending_bytes_ = 0;
  TRY(publish(std::exchange(pending_, {})));
  if (added && ::syncfs(fd_.get()) != 0) return Error::from_errno("syncfs", errno);
  return {};
}

}  // namespace intact::composefs
