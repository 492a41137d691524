#include "object_directory.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/bytes.h>
#include <intact/base/file.h>
#include <intact/composefs/scan.h>
#include <intact/fsverity/tree.h>

namespace intact::composefs {
namespace {

constexpr std::size_t kCopySize = 256 * 1024;

Result<std::string> temporary_name() {
  std::array<std::byte, 8> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return Error::from_errno("getrandom", errno);
  return ".tmp" + to_hex(random);
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

/// By sharing blocks, by the kernel's copy, or through our memory: what works.
Result<void> copy_content(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
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

/// Asks the file system to check the object at every read; it need not be able to.
void try_enable_verity(int dir, const std::string& name) {
  const auto fd = open_at(dir, name, O_RDONLY);
  if (!fd) return;
  fsverity_enable_arg arg{};
  arg.version = 1;
  arg.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
  arg.block_size = fsverity::kDefaultBlockSize;
  ::ioctl(fd->get(), FS_IOC_ENABLE_VERITY, &arg);
}

}  // namespace

Result<ObjectDirectory> ObjectDirectory::open(const std::string& path) {
  TRY(make_directories(path, 0755));
  return ObjectDirectory(TRY(open_file(path, O_RDONLY | O_DIRECTORY)));
}

Result<void> ObjectDirectory::add(int source, const Digest& digest) {
  const std::string name = object_path(digest);
  struct stat st;
  if (::fstatat(fd_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) return {};
  const std::string folder = name.substr(0, 2);
  if (::mkdirat(fd_.get(), folder.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::from_errno("object directory " + folder, errno);

  const std::string temp = TRY(temporary_name());
  auto outcome = fill(temp, source, digest);
  if (outcome &&
      ::renameat2(fd_.get(), temp.c_str(), fd_.get(), name.c_str(), RENAME_NOREPLACE) != 0) {
    // Another writer was faster: its object is as good. A file system without the flag replaces.
    const bool exists = errno == EEXIST;
    const bool no_flag = errno == EINVAL;
    if (exists)
      ::unlinkat(fd_.get(), temp.c_str(), 0);
    else if (!no_flag || ::renameat(fd_.get(), temp.c_str(), fd_.get(), name.c_str()) != 0)
      outcome = Error::from_errno("object " + name, errno);
  }
  if (!outcome) ::unlinkat(fd_.get(), temp.c_str(), 0);
  added_ = true;
  return outcome;
}

Result<void> ObjectDirectory::fill(const std::string& temp, int source, const Digest& digest) {
  {
    const UniqueFd fd = TRY(open_at(fd_.get(), temp, O_RDWR | O_CREAT | O_EXCL, 0600));
    TRY(copy_content(source, fd.get()));
    if (TRY(fsverity::digest_file(fd.get())) != digest)
      return Error(ErrorKind::io, "the file has changed while it was copied");
    if (::fchmod(fd.get(), 0644) != 0) return Error::from_errno("chmod", errno);
    if (::fsync(fd.get()) != 0) return Error::from_errno("fsync", errno);
  }
  // Only a file that nobody has open for writing can get it.
  try_enable_verity(fd_.get(), temp);
  return {};
}

Result<void> ObjectDirectory::sync() {
  if (added_ && ::syncfs(fd_.get()) != 0) return Error::from_errno("syncfs", errno);
  return {};
}

}  // namespace intact::composefs
