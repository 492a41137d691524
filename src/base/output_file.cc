#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/block_claim.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>

namespace intact {
namespace {

constexpr std::string_view kTemporaryPrefix = ".intact.tmp";

/// Opens what is at `name` if it can only be written in place: a rename over the node of a device
/// would replace the node. Nothing: it is an ordinary file, or one that somebody else may have put
/// there, or a block device whose content is not to be replaced.
Result<UniqueFd> open_in_place(int directory, const std::string& name,
                               OutputFile::Existing existing) {
  struct stat st;
  const auto fits = [&] {
    if (S_ISBLK(st.st_mode)) return existing == OutputFile::Existing::replace;
    return S_ISCHR(st.st_mode) || (S_ISFIFO(st.st_mode) && st.st_uid == ::geteuid());
  };
  if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !fits())
    return UniqueFd();
  // O_EXCL of a block device refuses one that is mounted or otherwise in use.
  const int exclusive = S_ISBLK(st.st_mode) ? O_EXCL : 0;
  auto opened = open_at(directory, name, O_WRONLY | O_NOFOLLOW | O_NOCTTY | exclusive);
  if (!opened && exclusive != 0 && opened.error().sys_errno() == EBUSY)
    return block_device_in_use();
  UniqueFd fd = TRY(std::move(opened));
  if (::fstat(fd.get(), &st) != 0) return Error::from_errno("fstat", errno);
  if (!fits()) return Error(ErrorKind::busy, "the file is being replaced");
  return fd;
}

Error already_exists() {
  return Error(ErrorKind::exists, "already exists; remove it or choose another name", EEXIST);
}

}  // namespace

mode_t content_file_mode() {
  return ::geteuid() == 0 ? 0600 : 0666;
}

mode_t content_directory_mode() {
  return ::geteuid() == 0 ? 0700 : 0755;
}

std::string random_name(std::string_view prefix) {
  std::array<unsigned char, 8> random{};
  // Never short or interrupted for so few bytes. Should it fail, O_EXCL still protects the file.
  (void)!::getrandom(random.data(), random.size(), 0);
  std::string name(prefix);
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const unsigned char byte : random) {
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

Result<void> refuse_existing(const std::string& path) {
  struct stat st;
  if (::lstat(path.c_str(), &st) != 0) return {};
  return already_exists().with_context(path);
}

Result<OutputFile> OutputFile::create(const std::string& path, Existing existing, mode_t mode) {
  OutputFile file(path, existing);
  TRY(file.make(mode).context(path));
  return file;
}

Result<OutputFile> OutputFile::standard_output() {
  OutputFile file("standard output", Existing::replace);
  TRY(file.duplicate(STDOUT_FILENO).context(file.path_));
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      existing_(other.existing_),
      directory_(std::move(other.directory_)),
      name_(std::move(other.name_)),
      fd_(std::move(other.fd_)),
      temporary_(std::exchange(other.temporary_, {})) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlinkat(directory_.get(), temporary_.c_str(), 0);
}

Result<void> OutputFile::duplicate(int fd) {
  fd_ = TRY(duplicate_fd(fd));
  return {};
}

Result<void> OutputFile::make(mode_t mode) {
  // Opening such a path would open a redirected file again from its start, and renaming over it
  // would replace the link in /dev.
  if (const auto number = descriptor_of(path_)) return duplicate(*number);
  const std::size_t slash = path_.rfind('/');
  name_ = slash == std::string::npos ? path_ : path_.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  if (name_.empty() || name_ == "." || name_ == "..")
    return Error(ErrorKind::invalid_argument, "not the name of a file");
  directory_ = UniqueFd(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) return Error::from_errno("its directory", errno);

  fd_ = TRY(open_in_place(directory_.get(), name_, existing_));
  if (fd_) {
    directory_.reset();
    return {};
  }
  struct stat st;
  const bool present = ::fstatat(directory_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (present && S_ISDIR(st.st_mode)) return Error(ErrorKind::exists, "is a directory", EISDIR);
  // Said before the work is done; publish() makes sure.
  if (present && existing_ == Existing::refuse) return already_exists();

  fd_ = UniqueFd(::openat(directory_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  if (fd_) return {};
  // EISDIR: a kernel or a file system server that does not know the flag.
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)
    return Error::from_errno("cannot create it", errno);
  std::string temporary = random_name(kTemporaryPrefix);
  fd_ = UniqueFd(::openat(directory_.get(), temporary.c_str(),
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd_) return Error::from_errno("cannot create it", errno);
  temporary_ = std::move(temporary);
  return {};
}

Result<void> OutputFile::write(ByteSpan bytes) {
  return write_all(fd_.get(), bytes).context(path_);
}

/// Gives the nameless file the name `name_`; exists when that is taken.
Result<void> OutputFile::link_new() {
  if (temporary_.empty()) {
    const std::string itself = "/proc/self/fd/" + std::to_string(fd_.get());
    if (::linkat(fd_.get(), "", directory_.get(), name_.c_str(), AT_EMPTY_PATH) == 0) return {};
    // Without CAP_DAC_READ_SEARCH that is ENOENT.
    if (errno != EEXIST &&
        ::linkat(AT_FDCWD, itself.c_str(), directory_.get(), name_.c_str(), AT_SYMLINK_FOLLOW) == 0)
      return {};
  } else {
    // Some file systems have only one of the two ways (FAT: no hard links; NFS: no such rename).
    if (::renameat2(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str(),
                    RENAME_NOREPLACE) == 0) {
      temporary_.clear();
      return {};
    }
    if ((errno == EINVAL || errno == ENOSYS) &&
        ::linkat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str(), 0) == 0)
      return {};
  }
  if (errno == EEXIST) return already_exists();
  return Error::from_errno("cannot give it its name", errno);
}

/// Takes the place of what may be at `name_`.
Result<void> OutputFile::rename_over() {
  if (temporary_.empty()) {
    auto linked = link_new();  // no rename is needed where there is nothing to replace
    if (linked || linked.error().kind() != ErrorKind::exists) return linked;
    std::string temporary = random_name(kTemporaryPrefix);
    std::swap(name_, temporary);
    linked = link_new();
    std::swap(name_, temporary);
    TRY(std::move(linked));
    temporary_ = std::move(temporary);
  }
  if (::renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str()) != 0)
    return Error::from_errno("cannot replace it", errno);
  temporary_.clear();
  return {};
}

Result<void> OutputFile::publish() {
  // Pipes and terminals have nothing that could be made durable.
  if (::fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
    return Error::from_errno(path_, errno);
  if (!directory_) return {};
  TRY((existing_ == Existing::refuse ? link_new() : rename_over()).context(path_));
  // A directory that may be written to but not read cannot be synced; the file itself is safe.
  const UniqueFd readable(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (readable && ::fsync(readable.get()) != 0 && errno != EINVAL) {
    const int sync_errno = errno;
    // What failed is not there. What was replaced cannot be brought back.
    if (existing_ == Existing::refuse) ::unlinkat(directory_.get(), name_.c_str(), 0);
    return Error::from_errno(path_, sync_errno);
  }
  return {};
}

}  // namespace intact
