#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// A file that a command writes for its user, wherever the user said. Use it for every such file:
///
///     OutputFile out = TRY(OutputFile::create(path, OutputFile::Existing::refuse));
///     TRY(out.write(bytes));  // or write to out.fd()
///     TRY(out.publish());
///
/// The file has no name until publish() (O_TMPFILE and linkat), so nobody can find, swap or read it
/// before it is complete, and a killed process leaves nothing. File systems without O_TMPFILE get a
/// new file (O_EXCL) with a random name, removed again unless it was published. A symbolic link at
/// `path` is never followed: it counts as an existing file.
///
/// Three things are written in place, because they are not files that could be replaced:
/// paths of descriptor_of() such as /dev/stdout (the descriptor is duplicated), character devices
/// (with `replace`, block devices that are not in use too), and FIFOs that belong to the caller.
/// Not thread-safe.
class OutputFile {
 public:
  enum class Existing {
    refuse,   ///< error kind exists, from create() and from publish()
    replace,  ///< publish() replaces the file atomically, by rename
  };

  /// Opens the directory of `path` and makes the file. `mode` is subject to the umask. Errors name
  /// `path`: exists, not_found (no such directory), io.
  static Result<OutputFile> create(const std::string& path, Existing existing, mode_t mode = 0666);

  /// Standard output, written in place: for commands that take "-".
  static Result<OutputFile> standard_output();

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// Open for writing, and for reading too unless the file is written in place. Stays open until
  /// this object is destroyed.
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  /// Appends at the file position. The error names the path.
  Result<void> write(ByteSpan bytes);

  /// Makes the content durable (fsync) and gives the file its name, then makes the name durable.
  Result<void> publish();

 private:
  OutputFile(std::string path, Existing existing) : path_(std::move(path)), existing_(existing) {}
  Result<void> make(mode_t mode);
  Result<void> duplicate(int fd);
  Result<void> link_new();
  Result<void> rename_over();

  std::string path_;
  Existing existing_;
  UniqueFd directory_;  ///< none for what is written in place
  std::string name_;    ///< in `directory_`
  UniqueFd fd_;
  std::string temporary_;  ///< the file's name in `directory_` until then, if it has one
};

// Modes, subject to the umask, for what the files of an image are written into. Some of these files
// may be readable only by root on the machine that they come from, so what root writes is closed to
// other users; what others write is theirs to begin with.
mode_t content_file_mode();
mode_t content_directory_mode();

/// exists if there is anything at `path`, a symbolic link included: for commands that will create
/// the file only after long work. OutputFile makes sure in the end.
Result<void> refuse_existing(const std::string& path);

/// `prefix` and 16 random hexadecimal digits: the name of a temporary file that nobody can guess.
std::string random_name(std::string_view prefix);

}  // namespace intact
