#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <intact/base/output_file.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// Whether both name one existing file.
bool same_file(const std::string& a, const std::string& b);
/// The same, or both name one place where a file may be made.
bool same_place(const std::string& a, const std::string& b);
/// Whether both are open for one file.
bool same_file(int a, int b);

/// Files that a command creates or extends. New ones get their names from publish() and are
/// readable by their owner only. Until keep() all is undone by the destructor: new files are
/// removed, the others cut to their old size; the very files, whatever their paths lead to by then.
/// All work is done through the descriptors, which stay open until then. Not thread-safe.
class GrownFiles {
 public:
  GrownFiles() = default;
  ~GrownFiles();
  GrownFiles(const GrownFiles&) = delete;
  GrownFiles& operator=(const GrownFiles&) = delete;

  /// Makes a new and empty file. Returns a descriptor of it for reading and writing. exists: there
  /// is a file already.
  Result<int> create(const std::string& path);
  /// Makes `path` at least `size` bytes long, and creates it if it does not exist. A block device
  /// stays as it is: whether it is large enough is checked later. Returns a descriptor for reading
  /// and writing, the same for each call with a name of the same file.
  Result<int> grow(const std::string& path, std::uint64_t size);
  /// Gives the new files their names, once they are complete.
  Result<void> publish();
  /// Nothing is undone from now on.
  void keep() { files_.clear(); }

 private:
  struct File {
    std::string path;
    std::optional<OutputFile> created;
    UniqueFd existing;  // if it was not created
    std::uint64_t old_size = 0;
    bool is_published = false;

    int fd() const { return created ? created->fd() : existing.get(); }
  };
  Result<File*> find_or_open(const std::string& path);

  std::deque<File> files_;
};

}  // namespace intact
