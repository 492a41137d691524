#pragma once

#include <functional>
#include <memory>
#include <string>

#include <intact/base/stream.h>
#include <intact/oci/descriptor.h>

#include "retry.h"
#include "session.h"

namespace intact::registry {

/// The stored bytes of a blob or a manifest, unverified as of every source. When the connection
/// breaks it goes on where it stopped. tampered: the registry has another number of bytes, or sends
/// other ranges than it is asked for. Not thread-safe.
class BlobStream final : public ByteStream {
 public:
  /// The bytes from `offset` on, which is less than the size of the blob unless both are 0.
  static Result<std::unique_ptr<ByteStream>> open(std::shared_ptr<Session> session,
                                                  const oci::Descriptor& blob, bool is_document,
                                                  std::uint64_t offset);

  Result<std::size_t> read(MutableByteSpan out) override;

 private:
  BlobStream(std::shared_ptr<Session> session, const oci::Descriptor& blob, bool is_document);
  Result<void> connect();
  Result<void> check_answer(HttpResponse& response);
  Result<bool> ends_here();
  Error wrong_size(const std::string& than) const;

  std::shared_ptr<Session> session_;
  std::string digest_;
  std::string path_;
  std::string type_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  std::uint64_t to_skip_ = 0;       ///< bytes that the server sends again
  std::uint64_t skipped_ = 0;       ///< of those, all that were
  std::uint64_t last_failure_ = 0;  ///< where that was
  bool ended_ = false;
  Retry retry_;
  std::unique_ptr<ByteStream> body_;
};

/// For Accept: every kind of manifest that is understood.
std::string accepted_types();

}  // namespace intact::registry
