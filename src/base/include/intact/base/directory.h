#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// The names in a directory, sorted, without "." and "..". A readdir(3) that fails is an error
/// here, so a directory that cannot be read is never taken for an empty one. `directory` is open
/// for reading and borrowed; its position does not change.
Result<std::vector<std::string>> list_names(int directory);

/// dirname(1) of a path without trailing slashes.
std::string parent_directory(const std::string& path);

/// A directory that is filled out of sight, next to its destination, and then takes its place. It
/// is filled through fd(): below a directory of the caller with mode 0700, reached by descriptors
/// only, so that users who may write to the parent can neither enter nor replace it. Removed with
/// all content on destruction unless it was published. Not thread-safe.
class NewDirectory {
 public:
  /// exists when something other than an empty directory is at `path`; a symbolic link counts as
  /// something. The new directory belongs to the caller; its `mode` is subject to the umask.
  static Result<NewDirectory> create(const std::string& path, mode_t mode = 0700);
  /// One in `parent` that is only for the caller's work and is never published.
  static Result<NewDirectory> create_scratch(const std::string& parent);

  NewDirectory(NewDirectory&&) noexcept = default;
  NewDirectory& operator=(NewDirectory&&) = delete;
  ~NewDirectory();

  /// Open for reading; stays open until this object is destroyed.
  int fd() const { return inside_.get(); }
  /// A path that leads to this very directory in this process, whatever its name is now.
  std::string path() const;
  /// Makes the content durable, moves it to its destination and makes that durable too. exists when
  /// something has appeared there in the meantime.
  Result<void> publish();

 private:
  NewDirectory() = default;
  Result<void> make(mode_t mode);

  UniqueFd parent_;
  std::string temporary_;  ///< in `parent_`
  UniqueFd temp_;          ///< that directory
  UniqueFd inside_;        ///< `root` in it
  std::string name_;       ///< of the destination, in `parent_`
  std::string final_path_;
};

}  // namespace intact
