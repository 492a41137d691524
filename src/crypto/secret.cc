#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include <intact/crypto/random.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {
namespace {

std::size_t page_size() {
  static const std::size_t size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t mapped_size(std::size_t size) {
  return (size + page_size() - 1) / page_size() * page_size();
}

}  // namespace

Secret::Secret(std::size_t size) : size_(size) {
  if (size == 0) return;
  // Pages of its own: locking and dump flags hold for whole pages, and a neighbour's unlock would
  // undo them.
  void* const pages = ::mmap(nullptr, mapped_size(size), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) std::abort();  // out of memory, as operator new would
  data_ = static_cast<std::byte*>(pages);
  locked_ = ::mlock(data_, mapped_size(size)) == 0;
  (void)::madvise(data_, mapped_size(size), MADV_DONTDUMP);
}

Secret Secret::copy_of(ByteSpan bytes) {
  Secret secret(bytes.size());
  std::copy(bytes.begin(), bytes.end(), secret.data_);
  return secret;
}

Secret Secret::random(std::size_t size) {
  Secret secret(size);
  fill_random(secret.expose());
  return secret;
}

Result<Secret> Secret::read_from(int fd, std::size_t limit) {
  // A descriptor that the caller of the program opened is inherited by what we start; a file behind
  // it could be read again there.
  if (fd > STDERR_FILENO) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // One byte more than allowed is asked for, so that "too long" is noticed and not cut off.
  Secret buffer(limit + 1);
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = ::read(fd, buffer.data_ + done, buffer.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read", errno);
    if (n == 0) return copy_of(buffer.expose().first(done));
    done += static_cast<std::size_t>(n);
  }
  return Error(ErrorKind::limit, "longer than the limit of " + std::to_string(limit) + " bytes");
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      locked_(std::exchange(other.locked_, false)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  locked_ = std::exchange(other.locked_, false);
  return *this;
}

Secret::~Secret() {
  release();
}

void Secret::release() noexcept {
  if (!data_) return;
  wipe({data_, size_});
  ::munmap(data_, mapped_size(size_));
  data_ = nullptr;
  size_ = 0;
}

void wipe(MutableByteSpan bytes) {
  if (!bytes.empty()) sodium_memzero(bytes.data(), bytes.size());
}

bool equal_secret(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace intact::crypto
