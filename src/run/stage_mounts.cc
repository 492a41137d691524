#include "stage_mounts.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>

#include "copy_up.h"
#include "tree_path.h"

namespace intact::run {
namespace {

Result<void> make_directory(const std::string& path, mode_t mode = 0700) {
  if (::mkdir(path.c_str(), mode) != 0) return Error::from_errno("mkdir " + path, errno);
  return {};
}

bool has_option(const Mount& mount, std::string_view name) {
  return std::find(mount.options.begin(), mount.options.end(), name) != mount.options.end();
}

/// The value of "NAME=VALUE" among the options of a mount; empty when it has none.
std::string option_value(const Mount& mount, std::string_view name) {
  for (const auto& option : mount.options)
    if (option.size() > name.size() && option.starts_with(name) && option[name.size()] == '=')
      return option.substr(name.size() + 1);
  return {};
}

std::optional<std::uint32_t> option_number(const Mount& mount, std::string_view name, int base) {
  const std::string text = option_value(mount, name);
  std::string_view rest = text;
  return take_number<std::uint32_t>(rest, base);
}

Result<void> stage_volume(const Mount& mount, const std::string& target) {
  const bool recursive = mount.options.front() == "rbind";
  const unsigned depth = recursive ? AT_RECURSIVE : 0;
  const UniqueFd tree(
      ::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth));
  if (!tree) return Error::from_errno("volume " + mount.source, errno);
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (has_option(mount, "ro")) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | depth, &attributes, sizeof attributes) != 0)
    return Error::from_errno("volume " + mount.source + ": mount_setattr", errno);
  struct stat st;
  if (::fstat(tree.get(), &st) != 0) return Error::from_errno("volume " + mount.source, errno);
  if (S_ISDIR(st.st_mode)) {
    TRY(make_directory(target));
  } else {
    TRY(open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0600));
  }
  if (::move_mount(tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return Error::from_errno("volume " + mount.source + ": move_mount", errno);
  return {};
}

Result<void> stage_content(Mount& mount, const std::string& target) {
  const UniqueFd file = TRY(open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0600));
  TRY(write_all(file.get(), as_bytes(*mount.content)));
  if (::fchmod(file.get(), mount.content_mode) != 0) return Error::from_errno(target, errno);
  mount.source = target;
  return {};
}

/// Splits the options of a tmpfs into flags for mount(2) and text for the file system.
struct TmpfsOptions {
  unsigned long flags = 0;
  std::string data;
};

TmpfsOptions tmpfs_options(const std::vector<std::string>& options) {
  TmpfsOptions out;
  for (const auto& option : options) {
    if (option == "nosuid")
      out.flags |= MS_NOSUID;
    else if (option == "nodev")
      out.flags |= MS_NODEV;
    else if (option == "noexec")
      out.flags |= MS_NOEXEC;
    else if (option != "ro")
      out.data += (out.data.empty() ? "" : ",") + option;
  }
  return out;
}

/// What the tmpfs itself would take; everything where it has no limit.
Result<CopyBudget> budget_of(const std::string& tmpfs, MemoryUse& memory) {
  struct statvfs fs;
  if (::statvfs(tmpfs.c_str(), &fs) != 0) return Error::from_errno(tmpfs, errno);
  return CopyBudget(memory, fs.f_blocks == 0 ? UINT64_MAX : fs.f_blocks * fs.f_frsize,
                    fs.f_files == 0 ? UINT64_MAX : fs.f_files);
}

bool is_full(const Error& error) {
  return error.sys_errno() == ENOSPC || error.sys_errno() == EDQUOT;
}

void bind_to(Mount& mount, const std::string& source) {
  const bool read_only = has_option(mount, "ro"), no_exec = has_option(mount, "noexec");
  mount.type = "bind";
  mount.source = source;
  mount.copy_up = false;
  mount.options = {"bind", "rprivate", "nosuid", "nodev", read_only ? "ro" : "rw"};
  if (no_exec) mount.options.emplace_back("noexec");
}

class Stager {
 public:
  Stager(Bundle& bundle, const tree::FileTree& tree, std::string directory)
      : bundle_(bundle), tree_(tree), directory_(std::move(directory)) {
    memory_.limit = bundle.limits.memory.value_or(UINT64_MAX);
  }

  Result<void> run() {
    TRY(make_directory(directory_));
    for (const std::size_t index : bundle_.volume_mounts) {
      Mount& mount = bundle_.mounts[index];
      TRY(stage_volume(mount, place(index)));
      mount.source = place(index);
    }
    for (std::size_t index = 0; index < bundle_.mounts.size(); ++index) {
      Mount& mount = bundle_.mounts[index];
      if (mount.content)
        TRY(stage_content(mount, place(index)));
      else if (mount.shared_tmpfs)
        TRY(stage_shared(mount, fmt::format("{}/{}", shared(), index)));
      else if (mount.copy_up)
        TRY(stage_copy(mount, place(index)));
    }
    return count_copies();
  }

 private:
  std::string place(std::size_t index) const { return fmt::format("{}/{}", directory_, index); }
  std::string shared() const { return directory_ + "/shared"; }

  /// The copies are made before the container's control group exists, so no more than it may have
  /// is copied.
  std::uint64_t shared_size() const {
    return std::min(bundle_.tmpfs_size, bundle_.limits.memory.value_or(UINT64_MAX));
  }

  Result<void> mount_shared() {
    if (shared_budget_) return {};
    TRY(make_directory(shared()));
    const std::string data =
        fmt::format("mode=0700,size={},nr_inodes={}", shared_size(), tmpfs_inodes(shared_size()));
    if (::mount("intact", shared().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, data.c_str()) != 0)
      return Error::from_errno("mount a tmpfs", errno);
    shared_budget_.emplace(memory_, shared_size(), tmpfs_inodes(shared_size()));
    return {};
  }

  Result<void> stage_shared(Mount& mount, const std::string& target) {
    TRY(mount_shared());
    auto filled = fill_shared(mount, target);
    if (!filled && is_full(filled.error())) {
      const bool memory = shared_budget_->is_over_memory() || shared_size() < bundle_.tmpfs_size;
      return Error(
          ErrorKind::limit,
          fmt::format("{0}: what the image has in writable places does not fit into {1}; pass a "
                      "larger {2}, or put something else at {0} with --volume or --tmpfs",
                      mount.destination, bytes_text(memory ? memory_.limit : shared_size()),
                      memory ? "--memory" : "--tmpfs-size"));
    }
    TRY(std::move(filled).context("copy " + mount.destination + " of the image"));
    bind_to(mount, target);
    return {};
  }

  Result<void> fill_shared(const Mount& mount, const std::string& target) {
    TRY(shared_budget_->add_inode());
    TRY(make_directory(target));
    const auto node = mount.copy_up ? TRY(resolve(tree_, mount.destination)).node : std::nullopt;
    if (node) TRY(copy_up(tree_, *node, target, *shared_budget_));
    const auto uid = option_number(mount, "uid", 10), gid = option_number(mount, "gid", 10);
    if (::chown(target.c_str(), uid.value_or(0), gid.value_or(0)) != 0)
      return Error::from_errno("chown", errno);
    if (::chmod(target.c_str(), option_number(mount, "mode", 8).value_or(0755)) != 0)
      return Error::from_errno("chmod", errno);
    return {};
  }

  /// Replaces the runtime's empty tmpfs by one with a copy of what the image has there. Where the
  /// image has nothing, the runtime's is left.
  Result<void> stage_copy(Mount& mount, const std::string& target) {
    const auto node = TRY(resolve(tree_, mount.destination)).node;
    if (!node) return {};
    bool empty = true;
    TRY(tree_.list(*node, 0,
                   [&](const tree::DirectoryEntry&, std::uint64_t) { return empty = false; }));
    mount.copy_up = false;
    if (empty) return {};
    TRY(make_directory(target));
    const TmpfsOptions options = tmpfs_options(mount.options);
    if (::mount("intact", target.c_str(), "tmpfs", options.flags, options.data.c_str()) != 0)
      return Error::from_errno("--tmpfs " + mount.destination, errno);
    CopyBudget budget = TRY(budget_of(target, memory_));
    auto copied = copy_up(tree_, *node, target, budget);
    if (!copied && budget.is_over_memory())
      return Error(ErrorKind::limit,
                   fmt::format("--tmpfs {}: what the image has there does not fit into {}; pass a "
                               "larger --memory, or give it notmpcopyup",
                               mount.destination, bytes_text(memory_.limit)));
    if (!copied && is_full(copied.error()))
      return Error(ErrorKind::limit,
                   fmt::format("--tmpfs {}: what the image has there does not fit into size={}; "
                               "give it a larger size=, or notmpcopyup",
                               mount.destination, option_value(mount, "size")));
    TRY(std::move(copied).context("copy " + mount.destination + " of the image"));
    bind_to(mount, target);
    return {};
  }

  /// The kernel charges pages to the group that touches them first, which is not the container's.
  Result<void> count_copies() {
    if (!bundle_.limits.memory) return {};
    const std::uint64_t used = memory_.used;
    if (used >= *bundle_.limits.memory)
      return Error(ErrorKind::limit,
                   fmt::format("--memory {}: what the image has in writable places takes {}; "
                               "raise --memory, or pass --tmpfs PATH:notmpcopyup",
                               bytes_text(*bundle_.limits.memory), bytes_text(used)));
    *bundle_.limits.memory -= used;
    return {};
  }

  Bundle& bundle_;
  const tree::FileTree& tree_;
  std::string directory_;
  MemoryUse memory_;                         ///< of all copies
  std::optional<CopyBudget> shared_budget_;  ///< once the shared tmpfs is mounted
};

}  // namespace

Result<void> stage_mounts(Bundle& bundle, const tree::FileTree& tree, const std::string& room) {
  return Stager(bundle, tree, room + "/mounts").run();
}

}  // namespace intact::run
