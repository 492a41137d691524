#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <intact/base/endian.h>
#include <intact/crypt/sector_crypt.h>
#include <intact/crypto/random.h>
#include <intact/crypto/secret.h>
#include <intact/crypto/sector_cipher.h>

#include "iv_mode.h"
#include "keyed_cipher.h"

namespace intact::crypt {
namespace {

constexpr std::size_t kPiece = 64;  // sectors whose IVs are made at a time

Error invalid(std::string_view why) {
  return Error(ErrorKind::invalid_argument, std::string(why));
}

Result<void> check(const SectorParams& params) {
  if (params.is_aead && !params.spec.text.starts_with("capi:"))
    return invalid(
        fmt::format("Bad cipher specification: authenticated ciphers are named by 'capi:': '{}'",
                    params.spec.text));
  const std::uint32_t size = params.sector_size;
  if (size < 512 || size > 4096 || !std::has_single_bit(size))
    return invalid(fmt::format("Invalid feature value for sector_size: {}", size));
  if (params.iv_offset % (size / 512) != 0)
    return invalid(fmt::format("Invalid iv_offset sector: not a multiple of {} bytes", size));
  if (params.record_size > kMaxRecordSize || (params.is_aead && params.record_size == 0))
    return invalid(
        fmt::format("Invalid integrity arguments: {} bytes, of which there may be 1 to {}",
                    params.record_size, kMaxRecordSize));
  if (!std::has_single_bit(params.spec.key_count))
    return invalid("Bad cipher key count specification: not a power of two");
  return {};
}

class Sectors final : public SectorCrypt {
 public:
  Sectors(const SectorParams& params, KeyedCiphers ciphers)
      : sector_size_(params.sector_size),
        iv_offset_(params.iv_offset),
        iv_shift_(params.iv_large_sectors ? std::countr_zero(params.sector_size / 512) : 0),
        record_size_(params.record_size),
        ciphers_(std::move(ciphers)) {}

  void encrypt(std::uint64_t first, ByteSpan in, MutableByteSpan out,
               MutableByteSpan records) const override {
    std::ranges::fill(records, std::byte{0});
    for_each_piece(first, in.size(), [&](const Piece& piece) {
      ByteSpan plain = sectors(in, piece);
      const MutableByteSpan encrypted = sectors(out, piece);
      Buffers buffers(piece, ciphers_);
      if (ciphers_.mode && ciphers_.mode->uses_sectors()) {
        std::ranges::copy(plain, encrypted.begin());
        plain = encrypted;
      }
      if (ciphers_.mode)
        ciphers_.mode->before_encryption(piece.run, encrypted, buffers.ivs());
      else if (ciphers_.stores_iv)
        crypto::fill_random(buffers.ivs());
      piece.cipher.encrypt(buffers.ivs(), buffers.numbers(), plain, encrypted, buffers.tags());
      if (ciphers_.mode) ciphers_.mode->after_encryption(piece.run, encrypted);
      put_records(piece, buffers, records);
    });
  }

  std::vector<std::size_t> decrypt(std::uint64_t first, ByteSpan in, ByteSpan records,
                                   MutableByteSpan out) const override {
    std::vector<std::size_t> all_bad;
    for_each_piece(first, in.size(), [&](const Piece& piece) {
      ByteSpan encrypted = sectors(in, piece);
      const MutableByteSpan plain = sectors(out, piece);
      Buffers buffers(piece, ciphers_);
      get_records(piece, records, buffers);
      if (ciphers_.mode && ciphers_.mode->uses_sectors()) {
        std::ranges::copy(encrypted, plain.begin());
        encrypted = plain;
      }
      if (ciphers_.mode) ciphers_.mode->before_decryption(piece.run, plain, buffers.ivs());
      const auto bad =
          piece.cipher.decrypt(buffers.ivs(), buffers.numbers(), encrypted, buffers.tags(), plain);
      for (const std::size_t i : bad) all_bad.push_back(piece.index + i);
      if (ciphers_.mode) ciphers_.mode->after_decryption(piece.run, plain);
    });
    return all_bad;
  }

 private:
  /// Sectors with one key.
  struct Piece {
    std::size_t index, count;  // of sectors
    std::uint64_t number;      // of the first, on the device
    std::uint64_t number_step;
    Run run;
    const KeyedCipher& cipher;
  };

  /// What goes with the sectors of a piece.
  class Buffers {
   public:
    Buffers(const Piece& piece, const KeyedCiphers& ciphers)
        : iv_size_(piece.count * ciphers.iv_size), tag_size_(piece.count * ciphers.tag_size) {
      bytes_.resize(iv_size_ + tag_size_ +
                    (ciphers.tag_size == 0 ? 0 : piece.count * sizeof(le64)));
      for (std::size_t i = 0; i < numbers().size() / sizeof(le64); ++i)
        std::ranges::copy(bytes_of(le64(piece.number + i * piece.number_step)),
                          bytes_.begin() + iv_size_ + tag_size_ + i * sizeof(le64));
    }
    MutableByteSpan ivs() { return MutableByteSpan(bytes_).first(iv_size_); }
    MutableByteSpan tags() { return MutableByteSpan(bytes_).subspan(iv_size_, tag_size_); }
    ByteSpan numbers() const { return ByteSpan(bytes_).subspan(iv_size_ + tag_size_); }

   private:
    std::size_t iv_size_, tag_size_;
    Bytes bytes_;
  };

  template <class Span>
  Span sectors(Span all, const Piece& piece) const {
    return all.subspan(piece.index * sector_size_, piece.count * sector_size_);
  }

  template <class Function>
  void for_each_piece(std::uint64_t first, std::size_t size, Function function) const {
    const std::size_t count = size / sector_size_;
    const std::size_t keys = ciphers_.keyed.size();
    const std::uint64_t step = sector_size_ / 512;
    for (std::size_t i = 0; i < count;) {
      const std::uint64_t number = first + i * step;
      const std::uint64_t counted = number + iv_offset_;
      const Piece piece{.index = i,
                        .count = keys == 1 ? std::min(kPiece, count - i) : 1,
                        .number = number,
                        .number_step = step,
                        .run = {counted >> iv_shift_, step >> iv_shift_, sector_size_},
                        .cipher = *ciphers_.keyed[counted & (keys - 1)]};
      function(piece);
      i += piece.count;
    }
  }

  void put_records(const Piece& piece, Buffers& buffers, MutableByteSpan records) const {
    for_each_record(piece, buffers, records, [](MutableByteSpan part, MutableByteSpan in_record) {
      std::ranges::copy(part, in_record.begin());
    });
  }
  void get_records(const Piece& piece, ByteSpan records, Buffers& buffers) const {
    for_each_record(piece, buffers, records, [](MutableByteSpan part, ByteSpan in_record) {
      std::ranges::copy(in_record, part.begin());
    });
  }
  /// Calls the function with the tag, then with a stored IV, and its place in the record.
  template <class Span, class Function>
  void for_each_record(const Piece& piece, Buffers& buffers, Span records,
                       Function function) const {
    const std::size_t tag_size = ciphers_.tag_size;
    const std::size_t iv_size = ciphers_.stores_iv ? ciphers_.iv_size : 0;
    for (std::size_t i = 0; i < piece.count && tag_size + iv_size != 0; ++i) {
      const Span record = records.subspan((piece.index + i) * record_size_, record_size_);
      function(buffers.tags().subspan(i * tag_size, tag_size), record.first(tag_size));
      function(buffers.ivs().subspan(i * iv_size, iv_size), record.subspan(tag_size, iv_size));
    }
  }

  std::size_t sector_size_;
  std::uint64_t iv_offset_;
  int iv_shift_;
  std::size_t record_size_;
  KeyedCiphers ciphers_;
};

}  // namespace

Result<std::unique_ptr<const SectorCrypt>> SectorCrypt::create(const SectorParams& params,
                                                               ByteSpan key) {
  TRY(check(params));
  return std::make_unique<const Sectors>(params, TRY(make_keyed_ciphers(params, key)));
}

}  // namespace intact::crypt
