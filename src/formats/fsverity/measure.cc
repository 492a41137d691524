#include <cerrno>
#include <cstddef>

#include <fmt/format.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>

#include <intact/fsverity/measure.h>

namespace intact::fsverity {
namespace {

/// struct fsverity_digest with room for the longest digest that the kernel knows.
struct Measurement {
  std::uint16_t algorithm;
  std::uint16_t size;  // in: of `digest`, out: of what is in it; bytes
  std::byte digest[64];
};
static_assert(offsetof(Measurement, algorithm) == offsetof(fsverity_digest, digest_algorithm));
static_assert(offsetof(Measurement, size) == offsetof(fsverity_digest, digest_size));
static_assert(offsetof(Measurement, digest) == sizeof(fsverity_digest));

}  // namespace

Result<std::optional<Digest>> measure_file(int fd) {
  Measurement measured{};
  measured.size = sizeof measured.digest;
  if (::ioctl(fd, FS_IOC_MEASURE_VERITY, &measured) != 0) {
    if (errno == ENODATA || errno == ENOTTY || errno == EOPNOTSUPP || errno == ENOSYS)
      return std::optional<Digest>();
    return Error::from_errno("cannot read the file's fs-verity digest", errno);
  }
  if (measured.algorithm != FS_VERITY_HASH_ALG_SHA256 &&
      measured.algorithm != FS_VERITY_HASH_ALG_SHA512)
    return Error(ErrorKind::unsupported,
                 fmt::format("fs-verity digest with unknown algorithm {}", measured.algorithm));
  const auto algorithm = static_cast<HashAlgorithm>(measured.algorithm);
  return std::optional(
      TRY(Digest::create(algorithm, ByteSpan(measured.digest).first(measured.size))));
}

bool is_supported(int fd) {
  Measurement measured{};
  measured.size = sizeof measured.digest;
  return ::ioctl(fd, FS_IOC_MEASURE_VERITY, &measured) == 0 ||
         (errno != ENOTTY && errno != EOPNOTSUPP && errno != ENOSYS);
}

}  // namespace intact::fsverity
