#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/crypto/hash.h>

namespace intact::oci {

/// Passes a stream on and hashes it. Not thread-safe.
class HashingStream final : public ByteStream {
 public:
  /// `stream` must outlive this object.
  explicit HashingStream(ByteStream& stream, HashAlgorithm algorithm = HashAlgorithm::sha256)
      : stream_(stream), hasher_(algorithm) {}

  Result<std::size_t> read(MutableByteSpan out) override;

  std::uint64_t size() const { return size_; }  ///< bytes passed on so far
  /// Reads what is left and returns the digest of the whole. To be called once, at the end.
  Result<Digest> finish();

 private:
  ByteStream& stream_;
  crypto::Hasher hasher_;
  std::uint64_t size_ = 0;
};

/// Passes a stream on and compares it with a digest and a size: where the end would be told, bytes
/// that are not those of the digest give `tampered` instead, as does the first byte too many. What
/// was read before that is unverified: keep it out of sight until the end (count 0) was seen.
class CheckedStream final : public ByteStream {
 public:
  CheckedStream(std::unique_ptr<ByteStream> stream, Digest digest,
                std::optional<std::uint64_t> size)
      : stream_(std::move(stream)),
        expected_(digest),
        expected_size_(size),
        hasher_(digest.algorithm()) {}

  Result<std::size_t> read(MutableByteSpan out) override;

  /// Reads what is left, so that the comparison takes place.
  Result<void> finish();

 private:
  std::unique_ptr<ByteStream> stream_;
  Digest expected_;
  std::optional<std::uint64_t> expected_size_;
  crypto::Hasher hasher_;
  std::uint64_t size_ = 0;
  bool ended_ = false;
};

}  // namespace intact::oci
