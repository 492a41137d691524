#pragma once

#include <cstddef>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::crypto {

/// Bytes that must not leak: a password, a key, the decrypted form of a private key. Move-only and
/// of fixed size. It has memory of its own, which is kept out of swap and core dumps where the
/// system allows it and is wiped before it is freed. Secrets cannot be printed, and are compared
/// only with equal_secret(). Reading is thread-safe while nobody writes.
class Secret {
 public:
  Secret() = default;  ///< empty
  /// `size` zero bytes.
  explicit Secret(std::size_t size);
  /// A copy; the caller wipes its own bytes.
  static Secret copy_of(ByteSpan bytes);
  static Secret random(std::size_t size);
  /// Reads `fd` to its end, at most `limit` bytes (kind limit beyond). exec closes it, unless 0
  /// to 2.
  static Result<Secret> read_from(int fd, std::size_t limit);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Whether the memory is locked against swapping, which RLIMIT_MEMLOCK may forbid.
  bool locked() const { return locked_; }

  /// The bytes themselves. Named so that every use can be searched for.
  ByteSpan expose() const { return {data_, size_}; }
  MutableByteSpan expose() { return {data_, size_}; }
  std::string_view expose_text() const { return as_text(expose()); }

 private:
  void release() noexcept;

  std::byte* data_ = nullptr;  // whole pages
  std::size_t size_ = 0;
  bool locked_ = false;
};

/// Overwrites bytes in a way that the compiler cannot leave out.
void wipe(MutableByteSpan bytes);

/// Compares in a time that depends only on the sizes.
bool equal_secret(ByteSpan a, ByteSpan b);

}  // namespace intact::crypto
