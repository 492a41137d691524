#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/sign/key.h>

namespace intact::image {

/// A private key that is being opened on a thread of its own (sign::PrivateKey::begin_loading)
/// while its user does other work, and now and then asks whether that is still worth it. For one
/// thread at a time.
class PendingKey {
 public:
  explicit PendingKey(std::future<Result<sign::PrivateKey>> future) : future_(std::move(future)) {}

  /// Does not wait. cancelled once the key has turned out not to open; get() says why.
  Result<void> check() {
    if (!key_ && future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
      key_ = future_.get();
    if (key_ && !*key_) return Error(ErrorKind::cancelled, "the key does not open");
    return {};
  }
  /// The same when it is known.
  Result<void> wait() {
    if (!key_) key_ = future_.get();
    return check();
  }

  /// Waits for the key or the reason why there is none. To be called once, as the last.
  Result<sign::PrivateKey> get() {
    if (!key_) return future_.get();
    return std::move(*key_);
  }

 private:
  std::future<Result<sign::PrivateKey>> future_;
  std::optional<Result<sign::PrivateKey>> key_;
};

/// A stream that ends with `cancelled` as soon as nobody will be able to sign what is made of it.
class WhileKeyMayOpen final : public ByteStream {
 public:
  /// `key` must outlive the stream.
  WhileKeyMayOpen(std::unique_ptr<ByteStream> lower, PendingKey& key)
      : lower_(std::move(lower)), key_(key) {}

  Result<std::size_t> read(MutableByteSpan out) override {
    TRY(key_.check());
    return lower_->read(out);
  }

 private:
  std::unique_ptr<ByteStream> lower_;
  PendingKey& key_;
};

}  // namespace intact::image
