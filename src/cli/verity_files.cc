#include "verity_files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::cli {
namespace {

/// One text for all paths to a place, whether something is there or not.
std::string place_of(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  const auto place = std::filesystem::weakly_canonical(absolute, error);
  return error ? path : place.string();
}

}  // namespace

Result<DeviceFiles::Known> DeviceFiles::identify(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISBLK(st.st_mode)) return Known{.device = st.st_rdev, .inode = 0, .target = nullptr};
  return Known{.device = st.st_dev, .inode = st.st_ino, .target = nullptr};
}

Result<std::shared_ptr<block::FileDevice>> DeviceFiles::open(const std::string& path) {
  if (const auto before = opened_.find(path); before != opened_.end()) return before->second;
  // What was opened is compared, not what the path leads to at another moment.
  const bool writes = access_ == block::Access::read_write;
  return open(path, TRY(open_file(path, writes ? O_RDWR : O_RDONLY)));
}

Result<std::shared_ptr<block::FileDevice>> DeviceFiles::open(const std::string& path, UniqueFd fd) {
  Known file = TRY(identify(fd.get()).context(path));
  const auto known = std::ranges::find_if(known_, [&](const Known& other) {
    return other.device == file.device && other.inode == file.inode;
  });
  if (known != known_.end()) {
    file.target = known->target;
  } else {
    file.target = TRY(block::FileDevice::create_locked(std::move(fd), access_).context(path));
    known_.push_back(file);
  }
  opened_.emplace(path, file.target);
  return file.target;
}

Result<void> DeviceFiles::add(std::shared_ptr<block::FileDevice> file) {
  Known known = TRY(identify(file->fd()));
  known.target = std::move(file);
  known_.push_back(std::move(known));
  return {};
}

bool same_place(const std::string& a, const std::string& b) {
  return same_file(a, b) || place_of(a) == place_of(b);
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool same_file(int a, int b) {
  struct stat first, second;
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

GrownFiles::~GrownFiles() {
  for (const File& file : files_) {
    if (file.is_published && is_file_at(file.path, file.fd())) ::unlink(file.path.c_str());
    if (file.created) continue;
    struct stat st;
    if (::fstat(file.fd(), &st) == 0 && S_ISREG(st.st_mode) &&
        static_cast<std::uint64_t>(st.st_size) > file.old_size)
      static_cast<void>(::ftruncate(file.fd(), static_cast<off_t>(file.old_size)) == 0);
  }
}

Result<int> GrownFiles::create(const std::string& path) {
  if (path == "-")
    return Error(
        ErrorKind::invalid_argument,
        "-: standard output cannot be used here, because the file is not written in order; "
        "name a file");
  files_.push_back({.path = path,
                    .created = TRY(OutputFile::create(path, OutputFile::Existing::refuse, 0600)),
                    .existing = {}});
  return files_.back().fd();
}

Result<GrownFiles::File*> GrownFiles::find_or_open(const std::string& path) {
  // A file that has no name yet has no other identity than where its name will be.
  const std::string place = place_of(path);
  for (File& file : files_)
    if (file.path == path || (file.created && place_of(file.path) == place)) return &file;
  auto fd = open_file(path, O_RDWR);
  if (!fd && fd.error().kind() == ErrorKind::not_found) {
    TRY(create(path));
    return &files_.back();
  }
  if (!fd) return std::move(fd).error();
  for (File& file : files_)
    if (same_file(file.fd(), fd->get())) return &file;
  const std::uint64_t size = TRY(file_size(fd->get()).context(path));
  files_.push_back(
      {.path = path, .created = std::nullopt, .existing = *std::move(fd), .old_size = size});
  return &files_.back();
}

Result<int> GrownFiles::grow(const std::string& path, std::uint64_t size) {
  if (size > static_cast<std::uint64_t>(INT64_MAX))
    return Error(ErrorKind::invalid_argument, path + ": would be larger than a file can be");
  const int fd = TRY(find_or_open(path))->fd();
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno(path, errno);
  if (S_ISREG(st.st_mode) && static_cast<std::uint64_t>(st.st_size) < size &&
      ::ftruncate(fd, static_cast<off_t>(size)) != 0)
    return Error::from_errno(path, errno);
  return fd;
}

Result<void> GrownFiles::publish() {
  for (File& file : files_) {
    if (!file.created || file.is_published) continue;
    TRY(file.created->publish());
    file.is_published = true;
  }
  return {};
}

}  // namespace intact::cli
