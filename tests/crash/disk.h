#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <sys/types.h>

#include <intact/base/result.h>

namespace intact::crash {

using InodeId = std::uint32_t;

/// One change that a program made, or its wish that what it changed be durable. It names files by
/// their identity, so that it can be applied where an earlier one has been lost.
struct Operation {
  enum class Kind {
    create,      ///< `inode` as `directory`/`name`, a directory if `is_directory`
    write,       ///< `data` to `inode` at `offset`
    resize,      ///< `inode` to `offset` bytes
    link,        ///< `inode` as `directory`/`name`
    remove,      ///< `directory`/`name`
    rename,      ///< `inode` from `directory`/`name` to `to_directory`/`to_name`
    sync_inode,  ///< content of a file or names in a directory
    sync_all,
  };
  Kind kind;
  InodeId inode = 0;
  InodeId directory = 0;
  std::string name;
  InodeId to_directory = 0;
  std::string to_name;
  bool is_directory = false;
  mode_t mode = 0;
  std::uint64_t offset = 0;
  std::string data;
  std::string text;  ///< for people

  bool is_sync() const { return kind == Kind::sync_inode || kind == Kind::sync_all; }
  bool is_data() const { return kind == Kind::write || kind == Kind::resize; }
};

/// Files and directories below one directory, as values. Owners, times and changes of modes are
/// left out: they are not what the tests are about.
class Disk {
 public:
  static constexpr InodeId kRoot = 0;
  struct Inode {
    bool is_directory = false;
    mode_t mode = 0;
    std::string data;
    std::map<std::string, InodeId> entries;
  };

  Disk();
  /// What is below `path`; anything but files and directories is unsupported.
  static Result<Disk> load(const std::string& path);
  /// Makes the directory `path` have exactly this content.
  Result<void> write_to(const std::string& path) const;

  /// "a/b" below the root, "" the root itself; nothing if it is not there.
  std::optional<InodeId> find(const std::string& path) const;
  const Inode* inode(InodeId id) const;
  InodeId next_id() const { return next_; }
  /// Names that are not there are removed in vain, directories that are not there get no names.
  void apply(const Operation& operation);
  /// The inode of a `create` whose name was lost: a later link or rename may give it another.
  void make_inode(const Operation& operation);

  /// All names and contents that can be reached, in a form that can be compared.
  std::string describe() const;

 private:
  Result<void> load_directory(int fd, InodeId id, std::map<std::uint64_t, InodeId>& known);
  void describe(InodeId id, const std::string& path, std::string& out) const;
  Result<void> write_directory(InodeId id, const std::string& path,
                               std::map<InodeId, std::string>& written) const;

  std::map<InodeId, Inode> inodes_;
  InodeId next_ = 1;
};

}  // namespace intact::crash
