#include "blob_stream.h"

#include <algorithm>

#include <intact/base/text.h>
#include <intact/oci/media_types.h>

#include "headers.h"

namespace intact::registry {
namespace {

constexpr std::uint64_t kProgress = 1024 * 1024;  // bytes after which a failure is a new one
constexpr std::size_t kPiece = 256 * 1024;
constexpr std::uint64_t kMaxRepeats = 8;  // of all that a server sends from the start again

}  // namespace

std::string accepted_types() {
  std::string all;
  for (const std::string_view type :
       {oci::kManifestType, oci::kIndexType, oci::kDockerManifestType, oci::kDockerIndexType})
    all += (all.empty() ? "" : ", ") + std::string(type);
  return all;
}

BlobStream::BlobStream(std::shared_ptr<Session> session, const oci::Descriptor& blob,
                       bool is_document)
    : session_(std::move(session)),
      digest_(blob.digest.to_string()),
      path_((is_document ? "manifests/" : "blobs/") + digest_),
      type_(is_document ? accepted_types() : "*/*"),
      size_(blob.size),
      retry_(session_->new_retry()) {}

Result<std::unique_ptr<ByteStream>> BlobStream::open(std::shared_ptr<Session> session,
                                                     const oci::Descriptor& blob, bool is_document,
                                                     std::uint64_t offset) {
  std::unique_ptr<BlobStream> made(new BlobStream(std::move(session), blob, is_document));
  made->position_ = made->last_failure_ = offset;
  TRY(made->connect());
  return std::unique_ptr<ByteStream>(std::move(made));
}

Error BlobStream::wrong_size(const std::string& than) const {
  return Error(ErrorKind::tampered, session_->where() + ": " + digest_ + ": the blob is " + than +
                                        " than the " + std::to_string(size_) +
                                        " bytes it should have");
}

Result<void> BlobStream::connect() {
  Call call{.method = "GET", .path = path_, .headers = {{"accept", type_}}};
  call.is_transfer = true;
  if (position_ != 0)
    call.headers.emplace_back(
        "range", "bytes=" + std::to_string(position_) + "-" + std::to_string(size_ - 1));
  HttpResponse response = TRY(session_->call(call));
  TRY(check_answer(response));
  body_ = std::move(response.body);
  return {};
}

Result<void> BlobStream::check_answer(HttpResponse& response) {
  to_skip_ = 0;
  if (response.status == 206 && position_ != 0) {
    const auto range = parse_content_range(response.header("content-range"));
    if (range && range->first == position_ && range->last == size_ - 1 &&
        (!range->whole || *range->whole == size_))
      return {};
    return Error(ErrorKind::tampered, session_->where() + ": " + digest_ +
                                          ": the registry sends another part than it was asked "
                                          "for, starting at byte " +
                                          std::to_string(position_));
  }
  if (response.status != 200) {
    Error error = session_->failure(response, digest_);
    return error;
  }
  // A server that ignores ranges sends everything again; the digest of the whole tells whether it
  // is the same.
  to_skip_ = position_;
  const auto length = whole_number(response.header("content-length"));
  if (length && *length != size_) return wrong_size(*length < size_ ? "shorter" : "longer");
  return {};
}

/// Whether no byte follows the last one. What breaks there does no harm.
Result<bool> BlobStream::ends_here() {
  if (!body_) return true;
  std::byte more;
  const auto n = body_->read({&more, 1});
  if (n && *n != 0) return wrong_size("longer");
  return true;
}

Result<std::size_t> BlobStream::read(MutableByteSpan out) {
  if (ended_) return std::size_t{0};
  Bytes skipped;
  for (;;) {
    if (position_ == size_ && to_skip_ == 0) {
      TRY(ends_here());
      body_.reset();
      ended_ = true;
      return std::size_t{0};
    }
    Result<std::size_t> n = std::size_t{0};
    if (auto connected = body_ ? Result<void>() : connect(); !connected) {
      n = std::move(connected).error();
    } else if (to_skip_ != 0) {
      skipped.resize(kPiece);
      n = body_->read(MutableByteSpan(skipped).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, to_skip_))));
      if (n && *n != 0) {
        to_skip_ -= *n;
        skipped_ += *n;
        continue;
      }
    } else {
      n = body_->read(out.first(
          static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - position_))));
      if (n && *n != 0) {
        position_ += *n;
        return n;
      }
    }
    body_.reset();
    if (!n && !is_transient(n.error())) return std::move(n).error().with_context(digest_);
    // One that breaks again and again without having sent much is given up.
    if (skipped_ / kMaxRepeats > size_)
      return Error(ErrorKind::io, session_->where() + ": " + digest_ +
                                      ": the connection breaks again and again, and each time the "
                                      "registry sends everything from the start");
    if (position_ - last_failure_ >= kProgress) retry_ = session_->new_retry();
    last_failure_ = position_;
    if (retry_.again()) continue;
    if (n) return wrong_size("shorter");
    return std::move(n).error().with_context(session_->where() + ": " + digest_);
  }
}

}  // namespace intact::registry
