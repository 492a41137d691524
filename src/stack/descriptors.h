#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/crypto/secret.h>
#include <intact/json/json.h>
#include <intact/stack/layer.h>

namespace intact::stack {

/// Largest secret that can be passed on, in bytes: what a pipe holds by default.
inline constexpr std::size_t kMaxSecret = 65536;

/// Descriptors for another process: one for each file, however often it is used. Not thread-safe.
class OutgoingDescriptors {
 public:
  /// The number that the description names. exec closes it unless FD_CLOEXEC is cleared.
  Result<int> add(const File& file);
  /// limit: larger than kMaxSecret.
  Result<int> add(const crypto::Secret& secret);
  std::vector<UniqueFd> take() { return std::move(fds_); }

 private:
  std::vector<std::pair<File, int>> files_;
  std::vector<UniqueFd> fds_;
};

/// The other end: takes ownership of the descriptors that a description names. Not thread-safe.
class IncomingDescriptors {
 public:
  /// Writable if its descriptor is.
  Result<File> file(std::uint64_t number);
  /// The file of the member `key`; null if there is none.
  Result<File> optional_file(const Json& json, const char* key);
  Result<crypto::Secret> secret(std::uint64_t number);

 private:
  std::vector<std::pair<int, File>> files_;
};

}  // namespace intact::stack
