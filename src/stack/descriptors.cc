#include "descriptors.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/stack/handover.h>

namespace intact::stack {
namespace {

constexpr std::uint64_t kMaxDescriptors = 1 << 20;

/// A copy with a number that no other use of descriptors needs. It is closed by exec until the exec
/// that passes it on: no other program that is started meanwhile may see it.
Result<UniqueFd> duplicate(int fd) {
  UniqueFd high(::fcntl(fd, F_DUPFD_CLOEXEC, kFirstDescriptor));
  if (!high) return Error::from_errno("cannot pass on a descriptor", errno);
  return high;
}

/// A descriptor that was passed to this process; exec closes it from now on.
Result<int> claimed(std::uint64_t number) {
  if (number < kFirstDescriptor || number > kMaxDescriptors ||
      ::fcntl(static_cast<int>(number), F_SETFD, FD_CLOEXEC) != 0)
    return Error(ErrorKind::malformed,
                 fmt::format("stack description: descriptor {} is not open", number));
  return static_cast<int>(number);
}

}  // namespace

Result<int> OutgoingDescriptors::add(const File& file) {
  const auto known = std::ranges::find(files_, file, &std::pair<File, int>::first);
  if (known != files_.end()) return known->second;
  fds_.push_back(TRY(duplicate(file->fd())));
  files_.emplace_back(file, fds_.back().get());
  return fds_.back().get();
}

Result<int> OutgoingDescriptors::add(const crypto::Secret& secret) {
  if (secret.size() > kMaxSecret)
    return Error(ErrorKind::limit, "a key is too large to be passed to another process");
  // A pipe is kernel memory that is never swapped out, and is empty once it has been read.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  TRY(write_all(writer.get(), secret.expose()).context("cannot pass on a key"));
  fds_.push_back(TRY(duplicate(reader.get())));
  return fds_.back().get();
}

Result<File> IncomingDescriptors::file(std::uint64_t number) {
  const int fd = TRY(claimed(number));
  const auto known = std::ranges::find(files_, fd, &std::pair<int, File>::first);
  if (known != files_.end()) return known->second;
  UniqueFd own(fd);
  const bool writes = (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
  File file = TRY(block::FileTarget::create(
      std::move(own), writes ? block::Access::read_write : block::Access::read_only));
  files_.emplace_back(fd, file);
  return file;
}

Result<File> IncomingDescriptors::optional_file(const Json& json, const char* key) {
  const auto number = TRY(optional_uint(json, key));
  return number ? file(*number) : Result<File>(File());
}

Result<crypto::Secret> IncomingDescriptors::secret(std::uint64_t number) {
  const UniqueFd reader(TRY(claimed(number)));
  return crypto::Secret::read_from(reader.get(), kMaxSecret).context("a key passed by descriptor");
}

}  // namespace intact::stack
