#include <cerrno>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>

#include "export_context.h"
#include "export_forms.h"

namespace intact::image {
namespace {

constexpr std::string_view kCapabilities = "security.capability";

/// Attributes that the kernel, its security modules or overlayfs of this host act on. Access
/// control lists say no more than modes do.
bool gives_rights(std::string_view xattr) {
  return xattr.starts_with("security.") || xattr.starts_with("trusted.") ||
         xattr.starts_with("user.overlay.");
}

/// Who owns the topmost directory of a tree.
enum class Top {
  of_image,  ///< owner and mode as the image says: another directory keeps other users out
  private_,  ///< the caller, with mode 0700: nobody else gets to the files, whatever their modes
};

/// Writes a tree into a new private directory. Everything is reached by single names in descriptors
/// of directories that were made here, and links are never followed. Directories get their owners,
/// modes and times in a second pass, because making their entries would change or need them.
class RootfsWriter {
 public:
  /// `top` is borrowed.
  RootfsWriter(const ExportContext& context, int top, Top kind_of_top, const RootfsOptions& options,
               ExportReport& report)
      : context_(context),
        top_(top),
        kind_of_top_(kind_of_top),
        options_(options),
        report_(report),
        privileged_(::geteuid() == 0) {}

  Result<void> write() {
    ++report_.files;
    TRY(for_each_directory(
        [this](int directory, const std::string& path, const tree::Inode& inode) -> Result<void> {
          for (const auto& [name, entry] : inode.entries)
            TRY(add(directory, name, path + name, entry).context("/" + path + name));
          return {};
        },
        nullptr));
    TRY(for_each_directory(
        nullptr, [this](int directory, const std::string& path, const tree::Inode& inode) {
          return set_attributes_of_directory(directory, path.empty(), inode).context("/" + path);
        }));
    warn(skipped_owners_, "file belongs to you instead of its owner",
         "files belong to you instead of their owners", ": only root can change that");
    warn(report_.devices, "device node was left out", "device nodes were left out",
         options_.devices ? ": only root can make them" : " (see --devices)");
    warn(report_.setuid, "file lost its set-user-ID or set-group-ID bit",
         "files lost their set-user-ID or set-group-ID bits", " (see --setuid)");
    warn(report_.capabilities, "file lost its capabilities", "files lost their capabilities",
         " (see --setuid)");
    warn(report_.xattrs, "security, trusted or overlayfs attribute was left out",
         "security, trusted and overlayfs attributes were left out", " (see --setuid)");
    warn(skipped_xattrs_, "extended attribute was left out", "extended attributes were left out",
         ": the system refuses them");
    return {};
  }

 private:
  /// `path` is relative to the top, with a slash at the end; empty for the top itself.
  using Visit =
      std::function<Result<void>(int directory, const std::string& path, const tree::Inode& inode)>;

  /// Goes through the directories: `enter` before those in it, `leave` after them. Only one is open
  /// at a time, because trees may be deeper than descriptors are many.
  Result<void> for_each_directory(const Visit& enter, const Visit& leave) {
    struct Level {
      const tree::Inode* inode;
      tree::Entries::const_iterator next;
      std::size_t path_length;
      dev_t device;
      ino_t number;
    };
    std::vector<Level> levels;
    std::string path;
    UniqueFd current = TRY(open_at(top_, ".", O_RDONLY | O_DIRECTORY));
    const auto push = [&](const tree::Inode& inode) -> Result<void> {
      struct stat st;
      if (::fstat(current.get(), &st) != 0) return Error::from_errno("fstat", errno);
      levels.push_back({&inode, inode.entries.begin(), path.size(), st.st_dev, st.st_ino});
      if (enter) TRY(enter(current.get(), path, inode));
      return {};
    };
    TRY(push(context_.tree().root()));
    for (;;) {
      Level& level = levels.back();
      path.resize(level.path_length);
      while (level.next != level.inode->entries.end() &&
             !level.next->second.inode->attributes.is_directory())
        ++level.next;
      if (level.next != level.inode->entries.end()) {
        const auto& [name, entry] = *level.next++;
        current = TRY(open_at(current.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        path += name + "/";
        TRY(push(*entry.inode));
        continue;
      }
      // Opened first: the mode that the image says may forbid it.
      UniqueFd parent;
      if (levels.size() > 1) parent = TRY(open_at(current.get(), "..", O_RDONLY | O_DIRECTORY));
      if (leave) TRY(leave(current.get(), path, *level.inode));
      levels.pop_back();
      if (levels.empty()) return {};
      struct stat st;
      if (::fstat(parent.get(), &st) != 0) return Error::from_errno("fstat", errno);
      if (st.st_dev != levels.back().device || st.st_ino != levels.back().number)
        return Error(ErrorKind::tampered, "/" + path + ": moved while it was written");
      current = std::move(parent);
    }
  }

  /// `one` and `many` follow the number: "device node was left out", "device nodes were left out".
  void warn(std::uint64_t count, std::string_view one, std::string_view many,
            std::string_view rest) {
    if (count > 0)
      report_.warnings.push_back(fmt::format("{} {}{}", count, count == 1 ? one : many, rest));
  }

  static Result<void> check(int result, const char* what) {
    if (result != 0) return Error::from_errno(what, errno);
    return {};
  }

  /// Makes `name` in `directory`; `path` is relative to the top.
  Result<void> add(int directory, const std::string& name, const std::string& path,
                   const tree::Entry& entry) {
    const tree::Inode& inode = *entry.inode;
    const tree::Attributes& attributes = inode.attributes;
    const char* const c_name = name.c_str();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
      return Error(ErrorKind::malformed, "a directory entry has an unusable name");
    ++report_.files;
    if (entry.hard_link) {
      const auto first = first_names_.find(&inode);
      if (first == first_names_.end()) return {};  // a device that was left out
      return check(::linkat(top_, first->second.c_str(), directory, c_name, 0), "link");
    }
    if (attributes.is_directory()) return check(::mkdirat(directory, c_name, 0700), "mkdir");
    if (attributes.is_device() && !(privileged_ && options_.devices)) {
      ++report_.devices;
      return {};
    }
    if (attributes.nlink > 1) first_names_[&inode] = path;
    if (attributes.is_regular()) {
      const UniqueFd fd =
          TRY(open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
      TRY(copy_content(context_.contents(), inode,
                       [&](ByteSpan bytes) { return write_all(fd.get(), bytes); }));
      report_.bytes += attributes.size;
      return set_attributes(fd.get(), inode);
    }
    if (attributes.is_symlink()) {
      TRY(check(::symlinkat(inode.payload.c_str(), directory, c_name), "symlink"));
    } else {
      TRY(check(::mknodat(directory, c_name, attributes.type() | 0600, attributes.rdev), "mknod"));
    }
    return set_attributes_at(directory, name, inode);
  }

  /// The mode that a file gets, and what it loses counted.
  mode_t mode_of(const tree::Attributes& attributes) {
    const mode_t mode = attributes.mode & 07777;
    // On directories the set-group-ID bit only says who owns new files.
    if (options_.setuid || attributes.is_directory() || (mode & (S_ISUID | S_ISGID)) == 0)
      return mode;
    ++report_.setuid;
    return mode & ~static_cast<mode_t>(S_ISUID | S_ISGID);
  }

  bool sets_owner(const tree::Attributes& attributes) {
    if (!privileged_ && attributes.uid != ::geteuid()) ++skipped_owners_;
    return privileged_;
  }

  /// Owner first: chown(2) clears set-id bits and capabilities.
  Result<void> set_attributes(int fd, const tree::Inode& inode) {
    const tree::Attributes& attributes = inode.attributes;
    if (sets_owner(attributes)) TRY(check(::fchown(fd, attributes.uid, attributes.gid), "chown"));
    TRY(check(::fchmod(fd, mode_of(attributes)), "chmod"));
    TRY(set_xattrs(inode, [fd](const char* name, const std::string& value) {
      return ::fsetxattr(fd, name, value.data(), value.size(), 0);
    }));
    return set_times(fd, attributes);
  }

  static Result<void> set_times(int fd, const tree::Attributes& attributes) {
    const timespec time = {attributes.mtime.seconds, attributes.mtime.nanoseconds};
    const timespec times[2] = {time, time};
    return check(::futimens(fd, times), "set times");
  }

  Result<void> set_attributes_of_directory(int fd, bool is_top, const tree::Inode& inode) {
    if (!is_top || kind_of_top_ == Top::of_image) return set_attributes(fd, inode);
    TRY(set_xattrs(inode, [fd](const char* name, const std::string& value) {
      // Access control lists would let others in.
      if (std::string_view(name).starts_with("system.")) return 0;
      return ::fsetxattr(fd, name, value.data(), value.size(), 0);
    }));
    TRY(check(::fchmod(fd, 0700), "chmod"));
    return set_times(fd, inode.attributes);
  }

  /// The same for what cannot be opened.
  Result<void> set_attributes_at(int directory, const std::string& name, const tree::Inode& inode) {
    const tree::Attributes& attributes = inode.attributes;
    const char* const c_name = name.c_str();
    if (sets_owner(attributes))
      TRY(check(::fchownat(directory, c_name, attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW),
                "chown"));
    if (!attributes.is_symlink())
      TRY(check(::fchmodat(directory, c_name, mode_of(attributes), AT_SYMLINK_NOFOLLOW), "chmod"));
    const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
    TRY(set_xattrs(inode, [&path](const char* xattr, const std::string& value) {
      return ::lsetxattr(path.c_str(), xattr, value.data(), value.size(), 0);
    }));
    const timespec time = {attributes.mtime.seconds, attributes.mtime.nanoseconds};
    const timespec times[2] = {time, time};
    return check(::utimensat(directory, c_name, times, AT_SYMLINK_NOFOLLOW), "set times");
  }

  Result<void> set_xattrs(const tree::Inode& inode,
                          const std::function<int(const char*, const std::string&)>& set) {
    for (const tree::Xattr& xattr : inode.xattrs) {
      if (!options_.setuid && gives_rights(xattr.name)) {
        ++(xattr.name == kCapabilities ? report_.capabilities : report_.xattrs);
        continue;
      }
      if (set(xattr.name.c_str(), xattr.value) == 0) continue;
      if (errno != EPERM && errno != EOPNOTSUPP && errno != EACCES)
        return Error::from_errno(xattr.name, errno);
      ++skipped_xattrs_;
    }
    return {};
  }

  const ExportContext& context_;
  int top_;
  Top kind_of_top_;
  RootfsOptions options_;
  ExportReport& report_;
  bool privileged_;
  std::unordered_map<const tree::Inode*, std::string> first_names_;  ///< relative to the top
  std::uint64_t skipped_owners_ = 0;
  std::uint64_t skipped_xattrs_ = 0;
};

}  // namespace

Result<ExportReport> export_rootfs(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory, const RootfsOptions& rootfs) {
  const ExportContext context = TRY(ExportContext::open(store, name, options));
  NewDirectory out = TRY(NewDirectory::create(directory));
  ExportReport report;
  TRY(RootfsWriter(context, out.fd(), Top::private_, rootfs, report).write());
  TRY(out.publish());
  return report;
}

Result<ExportReport> export_bundle(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory, const MakeBundleFiles& make_files,
                                   const RootfsOptions& options_of_rootfs) {
  const ExportContext context = TRY(ExportContext::open(store, name, options));
  NewDirectory out = TRY(NewDirectory::create(directory));
  for (const auto& [file, content] : TRY(make_files(context.image())))
    TRY(write_file_durably_at(out.fd(), file, content, 0644));
  if (::mkdirat(out.fd(), "rootfs", 0700) != 0) return Error::from_errno("rootfs", errno);
  const UniqueFd rootfs = TRY(open_at(out.fd(), "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  ExportReport report;
  TRY(RootfsWriter(context, rootfs.get(), Top::of_image, options_of_rootfs, report).write());
  TRY(out.publish());
  return report;
}

}  // namespace intact::image
