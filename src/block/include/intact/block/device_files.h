#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/grown_files.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/block/device.h>
#include <intact/block/file_device.h>

namespace intact::block {

/// Writes all of `source` into `fd`, a regular file that is empty, with holes where there are
/// zeros; several threads read it. Holes of the source are not read. The file may be incomplete
/// after an error. invalid_argument: it is another kind of file, not empty, or open for appending.
Result<void> copy_into(const Device& source, int fd, const Progress& progress = {});

/// Writes all of `source` to `fd` in order, as a pipe wants it. After an error it has got only what
/// was before it.
Result<void> copy_in_order(const Device& source, int fd, const Progress& progress = {});

/// Writes all of `source` to the new file `path`, readable by its owner only, as copy_into() does.
/// The file appears when it is complete and durable; after an error there is none. exists: there is
/// such a file already.
Result<void> copy_to_new_file(const Device& source, const std::string& path,
                              const Progress& progress = {});

/// The files of one command. A file that is given twice, under any names, is one device and is
/// locked once. Not thread-safe.
class DeviceFiles {
 public:
  explicit DeviceFiles(Access access) : access_(access) {}

  /// Opens and locks a file, as FileDevice::open(). Returns the same object for a file that was
  /// opened or added before; a path that was opened before is not opened again, so it cannot lead
  /// to another file by then.
  Result<std::shared_ptr<FileDevice>> open(const std::string& path);
  /// Opens nothing: uses what `fd` is open for, under the name `path` too. Otherwise as open(path).
  Result<std::shared_ptr<FileDevice>> open(const std::string& path, UniqueFd fd);
  /// Adds a file that was opened elsewhere.
  Result<void> add(std::shared_ptr<FileDevice> file);

 private:
  struct Known {
    std::uint64_t device;
    std::uint64_t inode;  // 0: `device` is that of a block device
    std::shared_ptr<FileDevice> target;
  };
  static Result<Known> identify(int fd);

  Access access_;
  std::vector<Known> known_;
  std::map<std::string, std::shared_ptr<FileDevice>> opened_;  // by path
};

/// For a command that uses each of these FileDevices, by path, for something of its own, and writes
/// to one of them. busy, with both names: two that are not one object have the same bytes, as a
/// loop device and its file have, or a disk and its partition (block/storage.h).
Result<void> check_apart(const std::map<std::string, std::shared_ptr<Device>>& files);

/// Copies a device into the new file `path`, which `made` makes and which has no name until that is
/// published. Returns it open for writing, and locked. Errors of GrownFiles::create() and
/// copy_into(), with the path.
Result<std::shared_ptr<FileDevice>> copy_into_new(GrownFiles& made, const std::string& path,
                                                  const Device& source,
                                                  const Progress& progress = {});

}  // namespace intact::block
