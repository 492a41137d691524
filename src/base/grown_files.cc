#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/block_claim.h>
#include <intact/base/file.h>
#include <intact/base/grown_files.h>

namespace intact {
namespace {

/// One text for all paths to a place, whether something is there or not.
std::string place_of(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  const auto place = std::filesystem::weakly_canonical(absolute, error);
  return error ? path : place.string();
}

/// A block device may have several nodes.
bool same(const struct stat& a, const struct stat& b) {
  if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode)) return a.st_rdev == b.st_rdev;
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

bool same_place(const std::string& a, const std::string& b) {
  return same_file(a, b) || place_of(a) == place_of(b);
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && same(first, second);
}

bool same_file(int a, int b) {
  struct stat first, second;
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && same(first, second);
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
  auto fd = open_unclaimed(path);
  if (!fd && fd.error().kind() == ErrorKind::not_found) {
    TRY(create(path));
    return &files_.back();
  }
  if (!fd) return std::move(fd).error();
  for (File& file : files_)
    if (same_file(file.fd(), fd->get())) return &file;
  UniqueFd claimed = TRY(claim_for_writing(*std::move(fd)).context(path));
  const std::uint64_t size = TRY(file_size(claimed.get()).context(path));
  files_.push_back(
      {.path = path, .created = std::nullopt, .existing = std::move(claimed), .old_size = size});
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

}  // namespace intact
