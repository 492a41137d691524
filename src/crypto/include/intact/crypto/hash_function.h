#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::crypto {

/// A cryptographic hash without key, found by its name in the kernel's crypto API: what dm-verity
/// and dm-integrity let a user choose. Copying is cheap; thread-safe.
class HashFunction {
 public:
  /// unsupported for names that are unknown or that this machine's OpenSSL does not offer, for
  /// checksums and for keyed hashes. Upper case is taken as lower case.
  static Result<HashFunction> find(std::string_view name);
  static std::vector<std::string_view> names();  ///< all that can be found

  std::string_view name() const { return name_; }
  std::size_t digest_size() const { return digest_size_; }  ///< bytes

  /// The digest of the pieces one behind the other; `digest` has digest_size() bytes.
  void hash(std::initializer_list<ByteSpan> pieces, MutableByteSpan digest) const;

 private:
  HashFunction(std::string_view name, std::size_t digest_size, const void* method)
      : name_(name), digest_size_(digest_size), method_(method) {}

  std::string_view name_;  // a literal
  std::size_t digest_size_;
  const void* method_;  // EVP_MD, never freed
};

}  // namespace intact::crypto
