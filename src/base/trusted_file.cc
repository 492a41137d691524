#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/mount.h>
#include <intact/base/trusted_file.h>

namespace intact {
namespace {

constexpr unsigned kMaxLinks = 40;  // as the kernel
constexpr std::size_t kDatabaseEntry = 64 * 1024;

/// The user to whom the kernel attributes files of users that a user namespace does not map, where
/// root is one of these; nothing in an ordinary namespace.
std::optional<uid_t> unmapped_root() {
  struct stat root;
  if (::stat("/", &root) != 0 || root.st_uid == 0) return std::nullopt;
  const auto text = [](const char* file) {
    const auto bytes = read_file(file, 64 * 1024);
    return bytes ? std::string(as_text(*bytes)) : std::string();
  };
  if (text("/proc/sys/kernel/overflowuid") != std::to_string(root.st_uid) + "\n")
    return std::nullopt;
  unsigned long first = 0, outside = 0, count = 0;
  const std::string map = text("/proc/self/uid_map");
  const bool maps_all =
      std::sscanf(map.c_str(), "%lu %lu %lu", &first, &outside, &count) == 3 && count == UINT32_MAX;
  return maps_all || map.empty() ? std::nullopt : std::optional(root.st_uid);
}

/// Calls `next` (getpwent_r or getgrent_r) until `visit` returns false or the database ends;
/// whether it ended without an error. The position is the process's, so one walk takes place at a
/// time.
template <typename Entry, typename Visit>
bool walk_database(void (*rewind)(), int (*next)(Entry*, char*, std::size_t, Entry**),
                   void (*end)(), const Visit& visit) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::vector<char> text(kDatabaseEntry);
  Entry entry, *found = nullptr;
  int error = 0;
  rewind();
  while ((error = next(&entry, text.data(), text.size(), &found)) == 0 && found) {
    if (!visit(entry)) break;
  }
  end();
  return error == ENOENT;
}

/// Whether `group` is the group that distributions give each user: nobody else is in it. Databases
/// that cannot be listed, as those of a directory service often cannot, do not tell.
bool is_private_group(gid_t group, uid_t owner) {
  if (owner == 0) return false;  // root has no use for one
  struct passwd user, *found_user = nullptr;
  std::vector<char> text(kDatabaseEntry);
  if (::getpwuid_r(owner, &user, text.data(), text.size(), &found_user) != 0 || !found_user ||
      user.pw_gid != group)
    return false;
  const std::string_view name = user.pw_name;

  bool listed = false;
  const bool only_user = walk_database<struct passwd>(
      &::setpwent, &::getpwent_r, &::endpwent, [&](const struct passwd& entry) {
        listed |= entry.pw_uid == owner;
        return entry.pw_gid != group || entry.pw_uid == owner;
      });
  if (!only_user || !listed) return false;

  bool named = false;
  // Several entries may have the same number: the members of each are in the group.
  const bool only_member = walk_database<struct group>(
      &::setgrent, &::getgrent_r, &::endgrent, [&](const struct group& entry) {
        if (entry.gr_gid != group) return true;
        named |= name == entry.gr_name;
        for (char** member = entry.gr_mem; member && *member; ++member)
          if (name != *member) return false;
        return true;
      });
  return only_member && named;
}

/// Whether an access control list may let more users or groups in than the mode says. `fd` may be
/// O_PATH, through which attributes are not readable, except by its name in /proc.
bool has_access_list(int fd) {
  const std::string file = "/proc/self/fd/" + std::to_string(fd);
  // The kernel stores no list that says the same as the mode.
  if (::getxattr(file.c_str(), "system.posix_acl_access", nullptr, 0) >= 0) return true;
  return errno != ENODATA && errno != EOPNOTSUPP;
}

bool others_can_write(int fd, const struct stat& st) {
  if ((st.st_mode & S_IWOTH) != 0) return true;
  // The group bits are the mask of an access control list, so without them its entries do not let
  // anybody write either.
  if ((st.st_mode & S_IWGRP) == 0) return false;
  return has_access_list(fd) || !is_private_group(st.st_gid, st.st_uid);
}

Error writable(const std::string& path, bool is_directory) {
  return Error(ErrorKind::untrusted, path + ": writable by others" +
                                         (is_directory ? ", who could replace what is in it" : "") +
                                         ", so it cannot be trusted; run `chmod go-w " + path +
                                         "`");
}

Error foreign(const std::string& path, uid_t owner) {
  return Error(ErrorKind::untrusted, path + ": owned by user " + std::to_string(owner) +
                                         ", who could change what is trusted; only files of root "
                                         "and your own are accepted");
}

/// One walk along a path. Directories are kept open, so that `..` leads back to one that was
/// checked.
class Walk {
 public:
  Walk(const std::string& path, TrustedOwner owner, Removable removable)
      : path_(path),
        any_owner_(owner == TrustedOwner::anyone),
        removable_anywhere_(removable == Removable::anywhere),
        unmapped_root_(unmapped_root()) {}

  Result<UniqueFd> open_file() {
    TRY(start());
    while (!rest_.empty()) {
      if (auto file = TRY(step())) return std::move(*file);
    }
    return not_regular();
  }

  Result<UniqueFd> open_directory() {
    TRY(start());
    while (!rest_.empty()) {
      if (TRY(step())) return Error::from_errno(path_, ENOTDIR);
    }
    if (refusal_) return std::move(*refusal_);
    return open_at(top().fd.get(), ".", O_RDONLY | O_DIRECTORY);
  }

 private:
  struct Directory {
    UniqueFd fd;
    std::string path;
    bool others_write = false;  ///< and it is sticky, or the walk is refused anyway
  };

  const Directory& top() const { return directories_.back(); }

  Error not_regular() const {
    return Error(ErrorKind::invalid_argument, path_ + ": not a regular file");
  }

  Result<void> start() {
    if (path_.empty()) return Error::from_errno("''", ENOENT);
    std::string whole = path_;
    if (path_.front() != '/') {
      std::array<char, PATH_MAX> here;
      if (!::getcwd(here.data(), here.size())) return Error::from_errno("working directory", errno);
      whole = std::string(here.data()) + "/" + path_;
    }
    put_before_rest(whole);
    return enter_root();
  }

  Result<void> enter_root() {
    directories_.clear();
    return enter(TRY(open_file_path("/")), "/");
  }
  static Result<UniqueFd> open_file_path(const std::string& path) {
    return open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
  }

  void put_before_rest(std::string_view path) {
    std::vector<std::string> names;
    if (path.ends_with('/')) names.emplace_back(".");  // what it names must be a directory
    while (!path.empty()) {
      const std::size_t slash = path.rfind('/');
      const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
      if (!name.empty()) names.emplace_back(name);
      path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    }
    for (std::string& name : names) rest_.push_front(std::move(name));
  }

  bool is_root_or_self(uid_t user) const {
    return user == 0 || user == ::geteuid() || user == unmapped_root_;
  }

  /// `fd` is what `st` describes.
  Result<void> check_owner(int fd, struct stat& st, const std::string& path) {
    // A FUSE server says of its files what it likes, so all of them are its user's.
    // The table is asked only then: in a chroot it lacks the mount of `/`.
    struct statfs system;
    if (::fstatfs(fd, &system) != 0) return Error::from_errno(path, errno);
    if (system.f_type == FUSE_SUPER_MAGIC) {
      const auto server = TRY(fuse_user(TRY(mount_number(fd).context(path))).context(path));
      if (server && !is_root_or_self(*server)) st.st_uid = *server;
    }
    if (is_root_or_self(st.st_uid)) return {};
    if (any_owner_ && (!other_owner_ || *other_owner_ == st.st_uid)) {
      // Right if the file turns out to be theirs.
      other_owner_ = st.st_uid;
      other_owner_path_ = path;
      return {};
    }
    refuse(foreign(path, st.st_uid));
    // Who owns a directory can let themselves in.
    if (S_ISDIR(st.st_mode) && removable_anywhere_) removable_ = true;
    return {};
  }

  /// The walk goes on, to tell whether there is anything to refuse.
  void refuse(Error error) {
    if (!refusal_) refusal_ = std::move(error);
  }

  Result<void> enter(UniqueFd fd, const std::string& path) {
    struct stat st;
    if (::fstat(fd.get(), &st) != 0) return Error::from_errno(path, errno);
    TRY(check_owner(fd.get(), st, path));
    const bool others_write = others_can_write(fd.get(), st);
    if (others_write && (st.st_mode & S_ISVTX) == 0) {
      refuse(writable(path, true));
      removable_ = true;
    }
    directories_.push_back({std::move(fd), path, others_write});
    return {};
  }

  /// Takes one component; gives the file when it is reached.
  Result<std::optional<UniqueFd>> step() {
    const std::string name = std::move(rest_.front());
    rest_.pop_front();
    if (name == ".") return std::nullopt;
    if (name == "..") {
      if (directories_.size() > 1) directories_.pop_back();
      return std::nullopt;
    }
    const std::string path = (top().path == "/" ? "" : top().path) + "/" + name;
    // O_DIRECTORY has the kernel mount what is mounted on demand.
    UniqueFd directory(
        ::openat(top().fd.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (directory) {
      TRY(enter(std::move(directory), path));
      return std::nullopt;
    }
    if (errno == ENOENT && removable_ && (rest_.empty() || removable_anywhere_))
      return std::move(*refusal_);
    if (errno != ENOTDIR && errno != ELOOP) return Error::from_errno(path_, errno);
    return leave_directories(name, path);
  }

  /// `name` in the present directory is a symbolic link, the file, or something else.
  Result<std::optional<UniqueFd>> leave_directories(const std::string& name,
                                                    const std::string& path) {
    const auto fail = [&](int error) { return Error::from_errno(path_, error); };
    const UniqueFd found(::openat(top().fd.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat st;
    if (!found || ::fstat(found.get(), &st) != 0) return fail(errno);
    if (S_ISLNK(st.st_mode)) {
      if (++links_ > kMaxLinks) return fail(ELOOP);
      TRY(check_owner(found.get(), st, path));
      if (top().others_write && st.st_nlink != 1) refuse(linked(path));
      std::array<char, PATH_MAX> target;
      const ssize_t size = ::readlinkat(found.get(), "", target.data(), target.size());
      if (size <= 0 || static_cast<std::size_t>(size) == target.size())
        return fail(size < 0 ? errno : ENAMETOOLONG);
      const std::string_view text(target.data(), static_cast<std::size_t>(size));
      put_before_rest(text);
      if (text.front() == '/') TRY(enter_root());
      return std::nullopt;
    }
    if (!rest_.empty()) return fail(ENOTDIR);
    if (!S_ISREG(st.st_mode)) return not_regular();
    UniqueFd file(::openat(top().fd.get(), name.c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    // What is checked is what was opened.
    if (!file || ::fstat(file.get(), &st) != 0) return fail(errno);
    if (!S_ISREG(st.st_mode)) return not_regular();
    TRY(check_owner(file.get(), st, path));
    if (other_owner_ && *other_owner_ != st.st_uid)
      refuse(foreign(other_owner_path_, *other_owner_));
    if (others_can_write(file.get(), st)) refuse(writable(path, false));
    if (top().others_write && st.st_nlink != 1) refuse(linked(path));
    if (refusal_) return std::move(*refusal_);
    return std::optional(std::move(file));
  }

  static Error linked(const std::string& path) {
    return Error(ErrorKind::untrusted,
                 path +
                     ": has several names and is in a directory that others can write to, so "
                     "somebody else may have put it there; copy it to another directory");
  }

  const std::string path_;
  const bool any_owner_;
  const bool removable_anywhere_;
  const std::optional<uid_t> unmapped_root_;
  std::deque<std::string> rest_;
  std::vector<Directory> directories_;
  unsigned links_ = 0;
  std::optional<Error> refusal_;
  bool removable_ = false;
  std::optional<uid_t> other_owner_;
  std::string other_owner_path_;
};

}  // namespace

Result<UniqueFd> open_trusted_file(const std::string& path, TrustedOwner owner,
                                   Removable removable) {
  return Walk(path, owner, removable).open_file();
}

Result<UniqueFd> open_trusted_directory(const std::string& path) {
  return Walk(path, TrustedOwner::root_or_self, Removable::anywhere).open_directory();
}

}  // namespace intact
