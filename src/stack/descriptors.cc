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

constexpr std::uint64_t kMostDescriptors = 1 << 20;

/// Without FD_CLOEXEC, and out of the way of others.
Result<UniqueFd> inherited(int fd) {
  UniqueFd high(::fcntl(fd, F_DUPFD, kFirstDescriptor));
  if (!high) return Error::from_errno("cannot pass a descriptor on", errno);
  return high;
}

/// A descriptor that was passed on, closed by exec from now on.
Result<int> claimed(std::uint64_t number) {
  if (number < kFirstDescriptor || number > kMostDescriptors ||
      ::fcntl(static_cast<int>(number), F_SETFD, FD_CLOEXEC) != 0)
    return Error(ErrorKind::malformed,
                 fmt::format("stack description: there is no descriptor {}", number));
  return static_cast<int>(number);
}

}  // namespace

Result<int> OutgoingDescriptors::add(const File& file) {
  const auto known = std::ranges::find(files_, file, &std::pair<File, int>::first);
  if (known != files_.end()) return known->second;
  fds_.push_back(TRY(inherited(file->fd())));
  files_.emplace_back(file, fds_.back().get());
  return fds_.back().get();
}

Result<int> OutgoingDescriptors::add(const crypto::Secret& secret) {
  if (secret.size() > kMaxSecret)
    return Error(ErrorKind::limit, "a secret is too large to be handed over");
  // A pipe is memory of the kernel that is never swapped out, and empty once it was read.
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  TRY(write_all(writer.get(), secret.expose()).context("cannot hand over a secret"));
  fds_.push_back(TRY(inherited(reader.get())));
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
  return crypto::Secret::read_from(reader.get(), kMaxSecret).context("a secret handed over");
}

}  // namespace intact::stack
