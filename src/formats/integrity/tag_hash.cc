#include "tag_hash.h"

#include <algorithm>

#include <intact/base/endian.h>

#include "message_hash.h"

namespace intact::integrity {
namespace {

/// Blocks hashed in one go: enough for the widest engine, with a bound for the stack.
constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxDigestSize = 64;

}  // namespace

Result<std::unique_ptr<const TagHash>> TagHash::create(const Algorithm& algorithm,
                                                       const Shape& shape) {
  crypto::MessageFrame frame{.head_size = sizeof(le64)};
  if (shape.salt) frame.prefix.assign(shape.salt->begin(), shape.salt->end());
  auto hash = TRY(MessageHash::create(algorithm, shape.block_size, std::move(frame)));
  return std::unique_ptr<const TagHash>(new TagHash(std::move(hash), shape));
}

TagHash::TagHash(std::unique_ptr<const MessageHash> hash, Shape shape)
    : hash_(std::move(hash)), shape_(shape) {}
TagHash::~TagHash() = default;

std::size_t TagHash::digest_size() const {
  return hash_->digest_size();
}

void TagHash::compute(std::uint64_t first, ByteSpan blocks, MutableByteSpan tags) const {
  const std::size_t batch = kBatch * shape_.block_size;
  for (; !blocks.empty(); first += kBatch) {
    const std::size_t size = std::min(batch, blocks.size());
    const std::size_t tag_bytes = size / shape_.block_size * shape_.tag_size;
    compute_some(first, blocks.first(size), tags.first(tag_bytes));
    blocks = blocks.subspan(size);
    tags = tags.subspan(tag_bytes);
  }
}

void TagHash::compute_some(std::uint64_t first, ByteSpan blocks, MutableByteSpan tags) const {
  const std::size_t count = blocks.size() / shape_.block_size;
  std::array<le64, kBatch> heads;
  for (std::size_t i = 0; i < count; ++i)
    heads[i] = (first + i) * (shape_.block_size / kSectorSize);
  const ByteSpan head_bytes = ByteSpan(bytes_of(heads)).first(count * sizeof(le64));
  const std::size_t digest_size = hash_->digest_size(), tag_size = shape_.tag_size;
  if (digest_size == tag_size) return hash_->hash(blocks, head_bytes, tags);

  std::array<std::byte, kBatch * kMaxDigestSize> digests;
  hash_->hash(blocks, head_bytes, MutableByteSpan(digests).first(count * digest_size));
  const std::size_t kept = std::min(digest_size, tag_size);
  for (std::size_t i = 0; i < count; ++i) {
    const auto tag = tags.subspan(i * tag_size, tag_size);
    std::copy_n(digests.begin() + static_cast<std::ptrdiff_t>(i * digest_size), kept, tag.begin());
    std::ranges::fill(tag.subspan(kept), std::byte{0});
  }
}

}  // namespace intact::integrity
