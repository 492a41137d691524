#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>

namespace intact {
namespace {

constexpr const char* kInside = "root";
constexpr const char* kPrefix = ".intact-export-";

std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

Error already_exists(const std::string& path) {
  return Error(ErrorKind::exists,
               path + ": already exists and is not an empty directory; choose another name");
}

Result<bool> is_missing_or_empty(int parent, const std::string& name) {
  auto fd = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd && fd.error().kind() == ErrorKind::not_found) return true;
  if (!fd && (fd.error().sys_errno() == ENOTDIR || fd.error().sys_errno() == ELOOP)) return false;
  if (!fd) return std::move(fd).error();
  return TRY(list_names(fd->get()).context(name)).empty();
}

}  // namespace

std::string parent_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<NewDirectory> NewDirectory::create(const std::string& path, mode_t mode) {
  NewDirectory out;
  out.final_path_ = path;
  while (out.final_path_.size() > 1 && out.final_path_.back() == '/') out.final_path_.pop_back();
  out.name_ = out.final_path_.substr(out.final_path_.rfind('/') + 1);  // npos + 1 is 0
  if (out.name_.empty() || out.name_ == "." || out.name_ == "..")
    return Error(ErrorKind::invalid_argument, path + ": not the name of a new directory");
  out.parent_ = TRY(open_file(parent_directory(out.final_path_), O_PATH | O_DIRECTORY));
  if (!TRY(is_missing_or_empty(out.parent_.get(), out.name_).context(path)))
    return already_exists(path);
  TRY(out.make(mode).context("temporary directory next to " + path));
  return out;
}

Result<NewDirectory> NewDirectory::create_scratch(const std::string& parent) {
  NewDirectory out;
  out.parent_ = TRY(open_file(parent, O_PATH | O_DIRECTORY));
  TRY(out.make(0700).context("temporary directory in " + parent));
  return out;
}

Result<void> NewDirectory::make(mode_t mode) {
  std::string name = random_name(kPrefix);
  if (::mkdirat(parent_.get(), name.c_str(), 0700) != 0) return Error::from_errno(name, errno);
  temp_ = TRY(open_at(parent_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  temporary_ = std::move(name);
  // Users who may write to the parent can have put another one in its place, but none like it.
  struct stat st;
  if (::fstat(temp_.get(), &st) != 0) return Error::from_errno("fstat", errno);
  if (st.st_uid != ::geteuid() || (st.st_mode & 0077) != 0 || !TRY(list_names(temp_.get())).empty())
    return Error(ErrorKind::tampered, temporary_ + ": another user replaced it");
  if (::mkdirat(temp_.get(), kInside, mode) != 0) return Error::from_errno(kInside, errno);
  inside_ = TRY(open_at(temp_.get(), kInside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return {};
}

NewDirectory::~NewDirectory() {
  if (inside_) (void)remove_tree(path_of(temp_.get()) + "/" + kInside);
  // Only an empty directory can be removed so, whatever has that name now.
  if (!temporary_.empty()) ::unlinkat(parent_.get(), temporary_.c_str(), AT_REMOVEDIR);
}

std::string NewDirectory::path() const {
  return path_of(inside_.get());
}

Result<void> NewDirectory::publish() {
  // The content first: after a power cut a directory that has its name must be whole.
  if (::syncfs(temp_.get()) != 0) return Error::from_errno(final_path_, errno);
  // A directory can take the place of nothing or of an empty directory, never of a link or a file.
  if (::renameat(temp_.get(), kInside, parent_.get(), name_.c_str()) != 0) {
    if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
      return already_exists(final_path_);
    return Error::from_errno(final_path_, errno);
  }
  // A parent that may be written to but not read cannot be synced.
  const UniqueFd readable(::openat(parent_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (readable && ::fsync(readable.get()) != 0 && errno != EINVAL)
    return Error::from_errno(final_path_, errno);
  return {};
}

}  // namespace intact
