#include <algorithm>

#include <intact/base/endian.h>
#include <intact/oci/tar_reader.h>

#include "pax.h"
#include "tar_header.h"
#include "tar_record.h"
#include "tar_sparse.h"
#include "tar_special.h"

namespace intact::oci {
namespace {

constexpr std::size_t kBuffer = 128 * 1024;

// Types beyond those of TarType.
constexpr char kPaxLocal = 'x';
constexpr char kPaxGlobal = 'g';
constexpr char kGnuLongName = 'L';
constexpr char kGnuLongLink = 'K';

std::uint64_t padding_after(std::uint64_t size) {
  return (kTarBlock - size % kTarBlock) % kTarBlock;
}

bool is_zero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

TarReader::TarReader(ByteStream& stream, const TarLimits& limits, Skipper skipper)
    : stream_(stream),
      limits_(limits),
      skipper_(std::move(skipper)),
      buffer_(kBuffer),
      global_(std::make_unique<Global>()) {}

TarReader::~TarReader() = default;

Error TarReader::error(ErrorKind kind, std::string_view text) const {
  return Error(kind,
               "tar, entry at byte " + std::to_string(header_offset_) + ": " + std::string(text));
}

/// Reads like ByteStream::read, through the buffer.
Result<std::size_t> TarReader::fill(MutableByteSpan out) {
  if (buffer_begin_ == buffer_end_) {
    if (out.size() >= buffer_.size()) {
      const std::size_t n = TRY(stream_.read(out));
      position_ += n;
      return n;
    }
    buffer_begin_ = 0;
    buffer_end_ = TRY(stream_.read(buffer_));
  }
  const std::size_t n = std::min(out.size(), buffer_end_ - buffer_begin_);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(buffer_begin_), n, out.begin());
  buffer_begin_ += n;
  position_ += n;
  return n;
}

Result<void> TarReader::skip(std::uint64_t bytes) {
  const std::uint64_t buffered = std::min<std::uint64_t>(bytes, buffer_end_ - buffer_begin_);
  buffer_begin_ += static_cast<std::size_t>(buffered);
  position_ += buffered;
  bytes -= buffered;
  if (bytes != 0 && skipper_) {
    TRY(skipper_(bytes));
    position_ += bytes;
    return {};
  }
  while (bytes != 0) {
    buffer_begin_ = buffer_end_ = 0;
    const std::size_t n = TRY(stream_.read(MutableByteSpan(buffer_).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer_.size())))));
    if (n == 0) return error(ErrorKind::malformed, "the archive is cut off");
    position_ += n;
    bytes -= n;
  }
  return {};
}

/// False where the stream ends exactly before the block.
Result<bool> TarReader::read_block(MutableByteSpan out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t n = TRY(fill(out.subspan(done)));
    if (n == 0) break;
    done += n;
  }
  if (done != 0 && done < out.size()) return error(ErrorKind::malformed, "the archive is cut off");
  return done != 0;
}

/// After the first block of zeros: a second one, or none, and then nothing but zeros to the end.
Result<void> TarReader::read_end() {
  Bytes block(kTarBlock);
  has_end_mark_ = TRY(read_block(block));
  Bytes rest(kBuffer);
  ByteSpan seen = has_end_mark_ ? ByteSpan(block) : ByteSpan();
  while (!seen.empty()) {
    if (!is_zero(seen))
      return error(ErrorKind::malformed, "bytes that are not zero after the end mark");
    if (position_ > limits_.stream_bytes)
      return error(ErrorKind::limit, "the archive is larger than the limit of " +
                                         std::to_string(limits_.stream_bytes) + " bytes");
    seen = ByteSpan(rest).first(TRY(fill(rest)));
  }
  ended_ = true;
  return {};
}

/// Content of a header that describes the next one.
Result<std::string> TarReader::read_special(std::uint64_t size, std::string_view what) {
  if (size > limits_.pax_bytes)
    return error(ErrorKind::limit, std::string(what) + " of " + std::to_string(size) +
                                       " bytes, the limit is " + std::to_string(limits_.pax_bytes));
  std::string text(static_cast<std::size_t>(size), '\0');
  const MutableByteSpan out(reinterpret_cast<std::byte*>(text.data()), text.size());
  if (!text.empty() && !TRY(read_block(out)))
    return error(ErrorKind::malformed, "the archive is cut off");
  TRY(skip(padding_after(size)));
  return text;
}

Result<std::string> TarReader::read_long_name(std::uint64_t size) {
  std::string text = TRY(read_special(size, "long name"));
  while (text.ends_with('\0')) text.pop_back();
  if (text.empty() || text.find('\0') != std::string::npos)
    return error(ErrorKind::malformed, "a long name that is empty or holds NUL");
  return text;
}

Result<void> TarReader::read_pax(std::uint64_t size, Special& special) {
  const std::string header = TRY(read_special(size, "PAX header"));
  std::string_view rest = header;
  while (!rest.empty()) {
    auto record = take_pax_record(rest);
    if (!record) return error(record.error().kind(), record.error().message());
    if (TRY(take_sparse_record(special, record->key, record->value))) continue;
    special.records.insert_or_assign(std::string(record->key), std::string(record->value));
  }
  return {};
}

/// Reads headers up to the one of an entry of its own; those before it describe it and go into
/// `special`. Nothing at the end of the archive.
Result<std::optional<RawTarHeader>> TarReader::read_headers(Special& special) {
  for (;;) {
    header_offset_ = position_;
    if (position_ > limits_.stream_bytes)
      return error(ErrorKind::limit, "the archive is larger than the limit of " +
                                         std::to_string(limits_.stream_bytes) + " bytes");
    Bytes block(kTarBlock);
    const bool is_end = !TRY(read_block(block));
    if (is_end || is_zero(block)) {
      if (special.any())
        return error(ErrorKind::malformed, "the archive ends after a header for a next entry");
      if (!is_end) TRY(read_end());
      ended_ = true;
      return std::optional<RawTarHeader>();
    }
    const auto raw = TRY(load<RawTarHeader>(block, 0));
    if (!has_good_checksum(raw)) return error(ErrorKind::malformed, "bad header checksum");
    // Every header counts: a chain of headers that describe nothing is work too.
    if (++headers_ > limits_.headers)
      return error(ErrorKind::limit,
                   "more headers than the limit of " + std::to_string(limits_.headers));
    if (!TRY(read_special_header(raw, special))) return std::optional(raw);
  }
}

/// Takes a header that describes others; false for one of an entry of its own.
Result<bool> TarReader::read_special_header(const RawTarHeader& raw, Special& special) {
  const bool is_special = raw.type == kPaxGlobal || raw.type == kPaxLocal ||
                          raw.type == kGnuLongName || raw.type == kGnuLongLink;
  if (!is_special) return false;
  const auto size = field_number(raw.size);
  if (!size || *size < 0) return error(ErrorKind::malformed, "bad size in the header");
  const auto bytes = static_cast<std::uint64_t>(*size);
  switch (raw.type) {
    case kPaxGlobal:
      if (special.any())
        return error(ErrorKind::malformed, "a global header between an entry's own headers");
      TRY(read_global(bytes));
      break;
    case kPaxLocal:
      if (special.has_records) return error(ErrorKind::malformed, "two PAX headers for one entry");
      special.has_records = true;
      TRY(read_pax(bytes, special));
      break;
    case kGnuLongName:
      if (special.name) return error(ErrorKind::malformed, "two long names for one entry");
      special.name = TRY(read_long_name(bytes));
      break;
    default:
      if (special.link) return error(ErrorKind::malformed, "two long link names for one entry");
      special.link = TRY(read_long_name(bytes));
      break;
  }
  return true;
}

/// Global records apply to every later entry, so they are parsed here, once.
Result<void> TarReader::read_global(std::uint64_t size) {
  // Every entry may carry them on, so they must cost little.
  constexpr std::size_t kMaxBytes = 64 * 1024;
  Special special;
  TRY(read_pax(size, special));
  if (special.sparse_numbers != 0)
    return error(ErrorKind::malformed, "a global header makes all entries sparse files");
  for (const auto& [key, value] : special.records) {
    if (key == "path" || key == "linkpath" || key == "size" || key.starts_with(kGnuSparse))
      return error(ErrorKind::malformed, "a global header sets " + key + " for all entries");
    auto record = parse_tar_record(key, value, limits_);
    if (!record) return error(record.error().kind(), record.error().message());
    if (record->kind == TarRecord::Kind::ignored)
      global_->records.erase(key);
    else
      global_->records.insert_or_assign(key, std::move(*record));
  }
  std::size_t bytes = 0;
  for (const auto& [key, record] : global_->records)
    bytes += key.size() + record.xattr.name.size() + record.xattr.value.size();
  if (bytes > kMaxBytes)
    return error(ErrorKind::limit,
                 "more than " + std::to_string(kMaxBytes) + " bytes in global headers");
  return {};
}

Result<std::optional<TarEntry>> TarReader::next() {
  if (ended_) return std::optional<TarEntry>();
  TRY(skip(content_left_));
  TRY(skip(padding_));
  content_left_ = padding_ = 0;
  sparse_cursor_ = nullptr;
  sparse_ = nullptr;
  const std::uint64_t first_offset = position_;
  Special special;
  const auto raw = TRY(read_headers(special));
  if (!raw) return std::optional<TarEntry>();
  TarEntry entry = TRY(make_entry(*raw, special));
  content_left_ = entry.size;
  padding_ = padding_after(entry.size);
  TRY(read_sparse(*raw, special, entry));
  entry.is_sparse = sparse_ != nullptr;
  header_offset_ = first_offset;
  entry.header_offset = first_offset;
  entry.content_offset = position_;
  return std::optional(std::move(entry));
}

Result<std::size_t> TarReader::read_content(MutableByteSpan out) {
  if (!sparse_cursor_) return read_stored(out);
  SparseCursor ahead = *sparse_cursor_;
  const SparseCursor::Step step = ahead.next(out.size());
  if (step.is_hole) {
    std::fill_n(out.begin(), step.bytes, std::byte{0});
    *sparse_cursor_ = ahead;
    return step.bytes;
  }
  const std::size_t n = TRY(read_stored(out.first(step.bytes)));
  (void)sparse_cursor_->next(n);
  return n;
}

/// The bytes of the content as the archive has them.
Result<std::size_t> TarReader::read_stored(MutableByteSpan out) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), content_left_));
  if (want == 0) return std::size_t{0};
  const std::size_t n = TRY(fill(out.first(want)));
  if (n == 0) return error(ErrorKind::malformed, "the archive is cut off in a file's content");
  content_left_ -= n;
  return n;
}

}  // namespace intact::oci
