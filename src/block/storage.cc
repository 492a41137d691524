#include <algorithm>
#include <cerrno>
#include <limits>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>
#include <intact/block/device.h>
#include <intact/block/storage.h>

namespace intact::block {
namespace {

constexpr unsigned kLoopMajor = 7;
constexpr int kMaxDepth = 16;                  // more than the kernel lets devices nest
constexpr std::uint64_t kMaxAttribute = 4096;  // bytes
constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  return a > kNoEnd - b ? kNoEnd : a + b;
}

/// The first line of an attribute; nothing if it does not exist.
std::optional<std::string> attribute(const std::string& path) {
  const auto bytes = read_file(path, kMaxAttribute);
  if (!bytes) return std::nullopt;
  const std::string_view text = as_text(*bytes);
  return std::string(text.substr(0, text.find('\n')));
}

std::optional<std::uint64_t> number(const std::string& path) {
  const auto text = attribute(path);
  return text ? whole_number(*text) : std::nullopt;
}

/// MAJOR:MINOR, as the attribute `dev` has it.
std::optional<dev_t> device_number(const std::string& path) {
  const auto text = attribute(path);
  if (!text) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto major = whole_number(std::string_view(*text).substr(0, colon));
  const auto minor = whole_number(std::string_view(*text).substr(colon + 1));
  if (!major || !minor) return std::nullopt;
  return makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
}

/// What the kernel says without the device. The file is only known by its name, which may lead to
/// another one by now.
std::optional<LoopBacking> loop_in_sys(const std::string& folder) {
  const auto file = attribute(folder + "/loop/backing_file");
  struct stat st;
  if (!file || ::stat(file->c_str(), &st) != 0) return std::nullopt;
  return LoopBacking{.device = st.st_dev,
                     .inode = st.st_ino,
                     .block_device = S_ISBLK(st.st_mode) ? st.st_rdev : 0,
                     .offset = number(folder + "/loop/offset").value_or(0),
                     .limit = number(folder + "/loop/sizelimit").value_or(0)};
}

class Search {
 public:
  explicit Search(const StorageSources& sources) : sources_(sources) {}

  void add_file(dev_t device, ino_t inode, std::uint64_t begin, std::uint64_t end, bool exact,
                int depth) {
    found_.push_back(
        {.device = device, .inode = inode, .begin = begin, .end = end, .exact = exact});
    // Somewhere on the device of its file system, if that is on one.
    if (major(device) != 0) add_device(device, 0, kNoEnd, false, depth + 1);
  }

  void add_device(dev_t device, std::uint64_t begin, std::uint64_t end, bool exact, int depth) {
    const std::string folder =
        fmt::format("{}/dev/block/{}:{}", sources_.sys, major(device), minor(device));
    if (depth < kMaxDepth) {
      if (number(folder + "/partition"))
        return add_partition(folder, device, begin, end, exact, depth);
      if (const auto loop = loop_of(device, folder)) {
        const std::uint64_t stop = loop->limit == 0 ? kNoEnd : plus(loop->offset, loop->limit);
        const std::uint64_t from = plus(begin, loop->offset);
        const std::uint64_t to = std::min(plus(end, loop->offset), stop);
        return loop->block_device != 0
                   ? add_device(loop->block_device, from, to, exact, depth + 1)
                   : add_file(loop->device, loop->inode, from, to, exact, depth);
      }
    }
    found_.push_back({.device = device, .inode = 0, .begin = begin, .end = end, .exact = exact});
    if (depth < kMaxDepth) add_slaves(folder, depth);
  }

  std::vector<StorageRange> take() { return std::move(found_); }

 private:
  void add_partition(const std::string& folder, dev_t device, std::uint64_t begin,
                     std::uint64_t end, bool exact, int depth) {
    const auto disk = device_number(folder + "/../dev");
    const auto start = number(folder + "/start");
    const auto sectors = number(folder + "/size");
    if (!disk || *disk == device || !start || *start > kNoEnd / kSectorSize) {
      found_.push_back({.device = device, .inode = 0, .begin = begin, .end = end, .exact = exact});
      return;
    }
    const std::uint64_t first = *start * kSectorSize;
    const std::uint64_t size =
        !sectors || *sectors > kNoEnd / kSectorSize ? kNoEnd : *sectors * kSectorSize;
    add_device(*disk, plus(begin, first), std::min(plus(end, first), plus(first, size)), exact,
               depth + 1);
  }

  /// The devices that a device-mapper or RAID device is on.
  void add_slaves(const std::string& folder, int depth) {
    DIR* const slaves = ::opendir((folder + "/slaves").c_str());
    if (slaves == nullptr) return;
    while (const dirent* entry = ::readdir(slaves)) {
      if (entry->d_name[0] == '.') continue;
      const auto device = device_number(folder + "/slaves/" + entry->d_name + "/dev");
      if (device) add_device(*device, 0, kNoEnd, false, depth + 1);
    }
    ::closedir(slaves);
  }

  std::optional<LoopBacking> loop_of(dev_t device, const std::string& folder) const {
    if (major(device) != kLoopMajor && !attribute(folder + "/loop/backing_file"))
      return std::nullopt;
    if (auto backing = sources_.loop(device)) return backing;
    return loop_in_sys(folder);
  }

  const StorageSources& sources_;
  std::vector<StorageRange> found_;
};

}  // namespace

std::optional<LoopBacking> StorageSources::loop_backing(dev_t device) {
  const std::string text = fmt::format("{}:{}", major(device), minor(device));
  std::string path = "/dev/block/" + text;
  struct stat st;
  // Without udev there is only its own name.
  if (::stat(path.c_str(), &st) != 0) path = fmt::format("/dev/loop{}", minor(device));
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd || ::fstat(fd.get(), &st) != 0 || !S_ISBLK(st.st_mode) || st.st_rdev != device)
    return std::nullopt;
  struct loop_info64 info{};
  if (::ioctl(fd.get(), LOOP_GET_STATUS64, &info) != 0) return std::nullopt;
  return LoopBacking{.device = static_cast<dev_t>(info.lo_device),
                     .inode = static_cast<ino_t>(info.lo_inode),
                     .block_device = static_cast<dev_t>(info.lo_rdevice),
                     .offset = info.lo_offset,
                     .limit = info.lo_sizelimit};
}

Result<std::vector<StorageRange>> storage_of(int fd, std::uint64_t offset, std::uint64_t length,
                                             const StorageSources& sources) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISBLK(st.st_mode)) return storage_of_device(st.st_rdev, offset, length, sources);
  Search search(sources);
  search.add_file(st.st_dev, st.st_ino, offset, plus(offset, length), true, 0);
  return search.take();
}

std::vector<StorageRange> storage_of_device(dev_t device, std::uint64_t offset,
                                            std::uint64_t length, const StorageSources& sources) {
  Search search(sources);
  search.add_device(device, offset, plus(offset, length), true, 0);
  return search.take();
}

std::optional<SharedStorage> shared_storage(const std::vector<StorageRange>& a,
                                            const std::vector<StorageRange>& b) {
  std::optional<SharedStorage> found;
  for (const StorageRange& one : a)
    for (const StorageRange& other : b) {
      const std::uint64_t begin = std::max(one.begin, other.begin);
      const std::uint64_t end = std::min(one.end, other.end);
      // Two that are only somewhere on a device need not meet: volumes of one group, files of one
      // file system.
      if (one.device != other.device || one.inode != other.inode || begin >= end ||
          (!one.exact && !other.exact))
        continue;
      if (one.exact && other.exact)
        return SharedStorage{.begin = begin - one.begin, .end = end - one.begin, .exact = true};
      found = SharedStorage{.begin = 0, .end = 0, .exact = false};
    }
  return found;
}

}  // namespace intact::block
