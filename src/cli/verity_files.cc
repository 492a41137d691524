#include "verity_files.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::cli {

Result<std::shared_ptr<block::FileTarget>> DeviceFiles::open(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
  const auto known = std::ranges::find_if(opened_, [&](const Opened& file) {
    return file.device == st.st_dev && file.inode == st.st_ino;
  });
  if (known != opened_.end()) return known->target;
  std::shared_ptr<block::FileTarget> target = TRY(block::FileTarget::open(path, access_));
  opened_.push_back({.device = st.st_dev, .inode = st.st_ino, .target = target});
  return target;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

GrownFiles::~GrownFiles() {
  for (const File& file : files_) {
    if (file.is_new)
      ::unlink(file.path.c_str());
    else
      static_cast<void>(::truncate(file.path.c_str(), static_cast<off_t>(file.old_size)) == 0);
  }
}

Result<void> GrownFiles::grow(const std::string& path, std::uint64_t size) {
  if (size > static_cast<std::uint64_t>(INT64_MAX))
    return Error(ErrorKind::invalid_argument, path + " would be larger than a file can be");
  auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  const bool is_new = bool(fd);
  if (!fd && fd.error().kind() == ErrorKind::exists) fd = open_file(path, O_RDWR);
  if (!fd) return std::move(fd).error();
  struct stat st;
  if (::fstat(fd->get(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISREG(st.st_mode) || (!is_new && static_cast<std::uint64_t>(st.st_size) >= size))
    return {};
  files_.push_back(
      {.path = path, .is_new = is_new, .old_size = static_cast<std::uint64_t>(st.st_size)});
  if (::ftruncate(fd->get(), static_cast<off_t>(size)) != 0) return Error::from_errno(path, errno);
  return {};
}

}  // namespace intact::cli
