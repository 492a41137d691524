#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/base/block_claim.h>
#include <intact/base/file.h>
#include <intact/base/text.h>
#include <intact/block/device_files.h>
#include <intact/block/storage.h>

namespace intact::block {
namespace {

constexpr std::uint64_t kMaxNumber = 64;  // bytes of MAJOR:MINOR

/// Whether a block device is a partition of another one.
bool is_partition_of(dev_t device, dev_t disk) {
  const std::string folder = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  if (::access((folder + "/partition").c_str(), F_OK) != 0) return false;
  const auto number = read_file(folder + "/../dev", kMaxNumber);
  return number && as_text(*number) == fmt::format("{}:{}\n", major(disk), minor(disk));
}

Error same_storage(const std::string& path, const std::string& other) {
  return {ErrorKind::busy,
          fmt::format("{}: the same storage as {}, by another name; use one name for both, or "
                      "devices that do not overlap",
                      path, other)};
}

}  // namespace

Result<DeviceFiles::Known> DeviceFiles::identify(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISBLK(st.st_mode)) return Known{.device = st.st_rdev, .inode = 0, .target = nullptr};
  return Known{.device = st.st_dev, .inode = st.st_ino, .target = nullptr};
}

Result<std::shared_ptr<FileDevice>> DeviceFiles::open(const std::string& path) {
  if (const auto before = opened_.find(path); before != opened_.end()) return before->second;
  // What was opened is compared, not what the path leads to at another moment.
  // A FIFO is refused below; without O_NONBLOCK we would wait for its writer.
  if (access_ == Access::read_only)
    return open(path, TRY(open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)));
  UniqueFd fd = TRY(open_unclaimed(path));
  // A device can be claimed once, and a claim of a disk is one of its partitions.
  const Known file = TRY(identify(fd.get()).context(path));
  const bool is_ours = std::ranges::any_of(known_, [&](const Known& other) {
    return other.target->writable() &&
           ((other.device == file.device && other.inode == file.inode) ||
            (other.inode == 0 && file.inode == 0 && is_partition_of(file.device, other.device)));
  });
  if (is_ours) return open(path, std::move(fd));
  auto claimed = claim_for_writing(std::move(fd));
  if (claimed) return open(path, *std::move(claimed));
  for (const auto& [other, device] : opened_) {
    const Known known = TRY(identify(device->fd()));
    if (device->writable() && known.inode == 0 && is_partition_of(known.device, file.device))
      return same_storage(path, other);
  }
  return std::move(claimed).error().with_context(path);
}

Result<std::shared_ptr<FileDevice>> DeviceFiles::open(const std::string& path, UniqueFd fd) {
  Known file = TRY(identify(fd.get()).context(path));
  const auto known = std::ranges::find_if(known_, [&](const Known& other) {
    return other.device == file.device && other.inode == file.inode;
  });
  if (known != known_.end()) {
    file.target = known->target;
  } else {
    file.target = TRY(FileDevice::create_locked(std::move(fd), access_).context(path));
    known_.push_back(file);
  }
  opened_.emplace(path, file.target);
  return file.target;
}

Result<void> DeviceFiles::add(std::shared_ptr<FileDevice> file) {
  Known known = TRY(identify(file->fd()));
  known.target = std::move(file);
  known_.push_back(std::move(known));
  return {};
}

Result<void> check_apart(const std::map<std::string, std::shared_ptr<Device>>& files) {
  struct Used {
    const std::string& path;
    const FileDevice* file;
    std::vector<StorageRange> storage;
  };
  std::vector<Used> used;
  used.reserve(files.size());
  for (const auto& [path, device] : files) {
    const auto* file = dynamic_cast<const FileDevice*>(device.get());
    if (file == nullptr) continue;
    auto storage = TRY(storage_of(file->fd(), 0, file->size()));
    for (const Used& other : used)
      if (other.file != file && shared_storage(storage, other.storage))
        return same_storage(path, other.path);
    used.push_back({.path = path, .file = file, .storage = std::move(storage)});
  }
  return {};
}

Result<std::shared_ptr<FileDevice>> copy_into_new(GrownFiles& made, const std::string& path,
                                                  const Device& source, const Progress& progress) {
  const int fd = TRY(made.create(path));
  TRY(copy_into(source, fd, progress).context(path));
  return std::shared_ptr<FileDevice>(
      TRY(FileDevice::create_locked(TRY(duplicate_fd(fd)), Access::read_write).context(path)));
}

}  // namespace intact::block
