#include <cerrno>
#include <unordered_map>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/image/export.h>

#include "export_context.h"

namespace intact::image {
namespace {

constexpr std::string_view kCapabilities = "security.capability";

/// Nobody else gets to the files below, whatever their modes.
Result<void> make_private(const std::string& directory) {
  if (::chmod(directory.c_str(), 0700) != 0) return Error::from_errno(directory, errno);
  return {};
}

/// Writes a tree below a new private directory. Every parent is a directory that was made here, so
/// paths cannot lead out. Owners and times come last, because making the children would change them
/// again.
class RootfsWriter {
 public:
  RootfsWriter(const ExportContext& context, std::string root, const RootfsOptions& options,
               ExportReport& report)
      : context_(context),
        root_(std::move(root)),
        options_(options),
        report_(report),
        privileged_(::geteuid() == 0) {}

  Result<void> write() {
    TRY(context_.tree().walk(
        [this](const std::string& path, const tree::Entry& entry) { return add(path, entry); }));
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it)
      TRY(set_attributes(it->path, *it->inode));
    if (skipped_owners_)
      warn(skipped_owners_,
           "files belong to you instead of their owners: only root can change that");
    if (report_.devices)
      warn(report_.devices, options_.devices ? "device nodes were left out: only root can make them"
                                             : "device nodes were left out (see --devices)");
    if (report_.setuid)
      warn(report_.setuid, "files lost their set-user-ID or set-group-ID bit (see --setuid)");
    if (report_.capabilities)
      warn(report_.capabilities, "files lost their capabilities (see --setuid)");
    if (skipped_xattrs_)
      warn(skipped_xattrs_, "extended attributes were left out: the system refuses them");
    return {};
  }

 private:
  struct Directory {
    std::string path;
    const tree::Inode* inode;
  };

  void warn(std::uint64_t count, const std::string& what) {
    report_.warnings.push_back(std::to_string(count) + " " + what);
  }

  static Result<void> check(int result, const std::string& path) {
    if (result != 0) return Error::from_errno(path, errno);
    return {};
  }

  Result<void> add(const std::string& path, const tree::Entry& entry) {
    const tree::Inode& inode = *entry.inode;
    const tree::Attributes& attributes = inode.attributes;
    const std::string target = root_ + path;
    ++report_.files;
    if (entry.hard_link) {
      const auto first = first_names_.find(&inode);
      if (first == first_names_.end()) return {};  // a device that was left out
      return check(::link(first->second.c_str(), target.c_str()), path);
    }
    if (attributes.is_directory()) {
      if (path != "/") TRY(check(::mkdir(target.c_str(), 0700), path));
      directories_.push_back({target, &inode});
      return {};
    }
    if (attributes.is_regular()) {
      const UniqueFd fd = TRY(open_file(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
      TRY(context_.read_content(inode, [&](ByteSpan bytes) { return write_all(fd.get(), bytes); })
              .context(path));
      report_.bytes += attributes.size;
    } else if (attributes.is_symlink()) {
      TRY(check(::symlink(inode.payload.c_str(), target.c_str()), path));
    } else {
      if (attributes.is_device() && !(privileged_ && options_.devices)) {
        ++report_.devices;
        return {};
      }
      TRY(check(::mknod(target.c_str(), attributes.type() | 0600, attributes.rdev), path));
    }
    if (attributes.nlink > 1) first_names_[&inode] = target;
    return set_attributes(target, inode).context(path);
  }

  Result<void> set_attributes(const std::string& target, const tree::Inode& inode) {
    const tree::Attributes& attributes = inode.attributes;
    if (privileged_) {
      TRY(check(::lchown(target.c_str(), attributes.uid, attributes.gid), target));
    } else if (attributes.uid != ::geteuid()) {
      ++skipped_owners_;
    }
    // After the owner, which clears set-id bits; before capabilities, which a change of owner
    // clears.
    if (!attributes.is_symlink()) {
      mode_t mode = attributes.mode & 07777;
      // On directories the set-group-ID bit only says who owns new files.
      if (!options_.setuid && !attributes.is_directory() && (mode & (S_ISUID | S_ISGID)) != 0) {
        mode &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
        ++report_.setuid;
      }
      TRY(check(::chmod(target.c_str(), mode), target));
    }
    for (const tree::Xattr& xattr : inode.xattrs) {
      if (!options_.setuid && xattr.name == kCapabilities) {
        ++report_.capabilities;
        continue;
      }
      if (::lsetxattr(target.c_str(), xattr.name.c_str(), xattr.value.data(), xattr.value.size(),
                      0) == 0)
        continue;
      if (errno != EPERM && errno != EOPNOTSUPP && errno != EACCES)
        return Error::from_errno(target + ": " + xattr.name, errno);
      ++skipped_xattrs_;
    }
    timespec times[2];
    times[1] = {.tv_sec = attributes.mtime.seconds, .tv_nsec = attributes.mtime.nanoseconds};
    times[0] = times[1];
    return check(::utimensat(AT_FDCWD, target.c_str(), times, AT_SYMLINK_NOFOLLOW), target);
  }

  const ExportContext& context_;
  std::string root_;
  RootfsOptions options_;
  ExportReport& report_;
  bool privileged_;
  std::vector<Directory> directories_;
  std::unordered_map<const tree::Inode*, std::string> first_names_;
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
  TRY(RootfsWriter(context, out.path(), rootfs, report).write());
  TRY(make_private(out.path()));
  TRY(out.publish());
  return report;
}

Result<ExportReport> export_bundle(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory,
                                   const MakeRuntimeConfig& make_config,
                                   const RootfsOptions& options_of_rootfs) {
  const ExportContext context = TRY(ExportContext::open(store, name, options));
  NewDirectory out = TRY(NewDirectory::create(directory));
  const Bytes config = TRY(make_config(context.image()));
  TRY(write_file_durably(out.path() + "/config.json", config, 0644));
  const std::string rootfs = out.path() + "/rootfs";
  TRY(make_directories(rootfs));
  ExportReport report;
  TRY(RootfsWriter(context, rootfs, options_of_rootfs, report).write());
  TRY(make_private(out.path()));
  TRY(out.publish());
  return report;
}

}  // namespace intact::image
