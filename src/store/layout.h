#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/store/store.h>

namespace intact::store {

// Names in the store's directory.
inline constexpr char kMarkerFile[] = "intact-store.json";
inline constexpr char kObjects[] = "objects";
inline constexpr char kImages[] = "images";
inline constexpr char kTrees[] = "trees";
inline constexpr char kBlobs[] = "blobs";
inline constexpr char kNames[] = "names";
inline constexpr char kStaging[] = "staging";
inline constexpr char kLeases[] = "leases";
inline constexpr char kGcLock[] = "gc.lock";
inline constexpr char kNamesLock[] = "names.lock";
inline constexpr char kStagingLock[] = "lock";  // in the directory of a transaction

inline constexpr std::uint64_t kStoreVersion = 1;
/// Bytes that an EROFS image may have: so many fsverity::VerifiedMemory takes.
inline constexpr std::uint64_t kMaxImageSize = std::uint64_t{64} << 30;

// Anyone who may enter the store's directory may read its content: the mode of that directory alone
// decides who may enter. Only writers need the private ones: anyone who may open a lock may hold it
// forever.
inline constexpr mode_t kFileMode = 0644;
inline constexpr mode_t kDirectoryMode = 0755;
inline constexpr mode_t kPrivateFileMode = 0600;
inline constexpr mode_t kPrivateDirectoryMode = 0700;

/// "names", "blobs/sha256"...: where a directory is below the store's, for messages.
std::string folder_path(Folder folder);
/// "ab/cdef...": where composefs puts the object of that fs-verity digest.
std::string object_path(const Digest& digest);
/// "ab": the directory in that path.
std::string object_directory(const Digest& digest);
/// Inverse of object_path; nothing if `path` is not exactly of that form.
std::optional<Digest> parse_object_path(std::string_view path);
/// "sha256/HEX", below blobs/.
std::string blob_path(const Digest& digest);
/// The directory of blobs of that algorithm.
Folder blob_folder(const Digest& digest);
/// Lower-case hex of a digest, as files are named; nothing if it is anything else.
std::optional<Digest> parse_file_name(std::string_view hex);

/// "part-sha256-HEX", in staging/: what has arrived of a blob.
std::string part_name(const Digest& digest);
bool is_part_name(std::string_view name);

/// "RANDOM-HEX": a new name for a lease on that image.
std::string lease_name(const Digest& image);
/// The same for a lease that the kernel holds: "RANDOM-HEX.mount".
std::string mount_lease_name(const Digest& image);
bool is_mount_lease_name(std::string_view name);
/// The image that a lease of either kind is on, from the lease's name.
std::optional<Digest> parse_lease_name(std::string_view name);

/// Opens `path` below `dir_fd` without following symlinks, crossing mounts or leaving the
/// directory (openat2, or component by component where the kernel or a sandbox lacks it).
Result<UniqueFd> open_beneath(int dir_fd, const std::string& path, int flags);
/// The second way of open_beneath.
Result<UniqueFd> walk_beneath(int dir_fd, const std::string& path, int flags);

/// Opens the directory `path` below `dir_fd` in the same way; tampered when something else is in
/// its place.
Result<UniqueFd> open_directory(int dir_fd, const std::string& path);

/// A name in an open directory. Files of a store are created, linked, renamed and removed by these
/// alone: a path would be walked by the kernel, and followed where a directory has been replaced by
/// a symbolic link.
struct Place {
  UniqueFd opened;     ///< `directory`, where this owns it
  int directory = -1;  ///< open
  std::string name;    ///< one component
};
/// The place of `path` ("name" or "directory/name") below `dir_fd`, which must stay open.
Result<Place> locate(int dir_fd, const std::string& path);
/// The same for reading a regular file; anything else is malformed. Does not hang on a FIFO.
Result<UniqueFd> open_regular(int dir_fd, const std::string& path);

/// Names in the directory `path` below `dir_fd`, sorted, without "." and ".."; a missing directory
/// is empty.
Result<std::vector<std::string>> list_directory(int dir_fd, const std::string& path);
/// Makes the directory `name` in `dir_fd` with exactly that mode and opens it. One that exists is
/// opened and keeps its mode; tampered when something else is in its place.
Result<UniqueFd> make_directory(int dir_fd, const std::string& name, mode_t mode);
/// Removes the directory `name` of a transaction: files, and directories of files.
Result<void> remove_staging_directory(int dir_fd, const std::string& name);

/// A lock on a file, held until destruction or by a process forked meanwhile.
class FileLock {
 public:
  FileLock() = default;
  /// Waits. In a store that we may not write to, nothing is locked: there is nobody whom we could
  /// keep waiting, and what we see is checked by digest anyway.
  static Result<FileLock> shared(int dir_fd, const char* name);
  /// Waits. Needs write access.
  static Result<FileLock> exclusive(int dir_fd, const char* name);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// Locks an open file, waiting for others.
Result<void> lock_exclusive(int fd);
/// Locks an open file without waiting; false if somebody else has it.
Result<bool> try_lock_exclusive(int fd);
/// Whether the file is open anywhere but at `fd` (which is open for reading), by a process or by
/// the kernel for a mount or a loop device. True as well when it cannot be told: F_SETLEASE is for
/// the owner of the file and for local file systems.
bool is_open_elsewhere(int fd);

}  // namespace intact::store
