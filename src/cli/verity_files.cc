#include "verity_files.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::cli {

Result<DeviceFiles::Known> DeviceFiles::identify(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISBLK(st.st_mode)) return Known{.device = st.st_rdev, .inode = 0, .target = nullptr};
  return Known{.device = st.st_dev, .inode = st.st_ino, .target = nullptr};
}

Result<std::shared_ptr<block::FileTarget>> DeviceFiles::open(const std::string& path) {
  if (const auto before = opened_.find(path); before != opened_.end()) return before->second;
  // What was opened is compared, not what the path leads to at another moment.
  const bool writes = access_ == block::Access::read_write;
  UniqueFd fd = TRY(open_file(path, writes ? O_RDWR : O_RDONLY));
  Known file = TRY(identify(fd.get()).context(path));
  const auto known = std::ranges::find_if(known_, [&](const Known& other) {
    return other.device == file.device && other.inode == file.inode;
  });
  if (known != known_.end()) {
    file.target = known->target;
  } else {
    file.target = TRY(block::FileTarget::create_locked(std::move(fd), access_).context(path));
    known_.push_back(file);
  }
  opened_.emplace(path, file.target);
  return file.target;
}

Result<void> DeviceFiles::add(std::shared_ptr<block::FileTarget> file) {
  Known known = TRY(identify(file->fd()));
  known.target = std::move(file);
  known_.push_back(std::move(known));
  return {};
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

GrownFiles::~GrownFiles() {
  for (const File& file : files_) {
    if (!file.is_new)
      static_cast<void>(::ftruncate(file.fd.get(), static_cast<off_t>(file.old_size)) == 0);
    else if (is_file_at(file.path, file.fd.get()))
      ::unlink(file.path.c_str());
  }
}

Result<void> GrownFiles::grow(const std::string& path, std::uint64_t size) {
  if (size > static_cast<std::uint64_t>(INT64_MAX))
    return Error(ErrorKind::invalid_argument, path + ": would be larger than a file can be");
  auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  const bool is_new = bool(fd);
  if (!fd && fd.error().kind() == ErrorKind::exists) fd = open_file(path, O_RDWR);
  if (!fd) return std::move(fd).error();
  struct stat st;
  if (::fstat(fd->get(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISREG(st.st_mode) || (!is_new && static_cast<std::uint64_t>(st.st_size) >= size))
    return {};
  files_.push_back({.fd = *std::move(fd),
                    .path = path,
                    .is_new = is_new,
                    .old_size = static_cast<std::uint64_t>(st.st_size)});
  if (::ftruncate(files_.back().fd.get(), static_cast<off_t>(size)) != 0)
    return Error::from_errno(path, errno);
  return {};
}

void GrownFiles::adopt(const std::string& path) {
  if (auto fd = open_file(path, O_RDONLY | O_NOFOLLOW)) adopt(path, *std::move(fd));
}

Result<void> GrownFiles::check(const std::string& path, int fd) const {
  struct stat opened;
  if (::fstat(fd, &opened) != 0) return Error::from_errno(path, errno);
  for (const File& file : files_) {
    struct stat grown;
    if (file.path != path || ::fstat(file.fd.get(), &grown) != 0) continue;
    if (grown.st_dev != opened.st_dev || grown.st_ino != opened.st_ino)
      return Error(ErrorKind::busy, path + ": replaced by another file meanwhile");
  }
  return {};
}

}  // namespace intact::cli
