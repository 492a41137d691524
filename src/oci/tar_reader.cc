#include <algorithm>

#include <sys/sysmacros.h>

#include <intact/base/endian.h>
#include <intact/oci/tar_reader.h>

#include "pax.h"
#include "tar_header.h"

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

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 200)) out += c >= 0x20 && c != 0x7f ? c : '?';
  return out + (text.size() > 200 ? "...'" : "'");
}

}  // namespace

TarReader::TarReader(ByteStream& stream, const TarLimits& limits, Skipper skipper)
    : stream_(stream), limits_(limits), skipper_(std::move(skipper)), buffer_(kBuffer) {}

Error TarReader::error(ErrorKind kind, std::string text) const {
  return Error(kind, "tar, entry at byte " + std::to_string(header_offset_) + ": " + text);
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

/// Behind the first block of zeros: a second one and then nothing but zeros to the end.
Result<void> TarReader::read_end() {
  Bytes block(kTarBlock);
  if (!TRY(read_block(block)))
    return error(ErrorKind::malformed, "the archive is cut off: its end mark is incomplete");
  Bytes rest(kBuffer);
  ByteSpan seen = block;
  while (!seen.empty()) {
    if (!is_zero(seen))
      return error(ErrorKind::malformed, "bytes other than zeros behind the end mark");
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

Result<void> TarReader::read_pax(std::uint64_t size, Records& records) {
  const std::string header = TRY(read_special(size, "PAX header"));
  std::string_view rest = header;
  while (!rest.empty()) {
    auto record = take_pax_record(rest);
    if (!record) return error(record.error().kind(), record.error().message());
    records.insert_or_assign(std::string(record->key), std::string(record->value));
  }
  return {};
}

Result<void> TarReader::apply_record(TarEntry& entry, const std::string& key,
                                     const std::string& value) {
  const auto bad = [&] {
    return error(ErrorKind::malformed, "PAX " + key + " has the value " + quoted(value));
  };
  const auto take_id = [&](std::uint32_t& id) -> Result<void> {
    const auto number = pax_number(value);
    if (!number) return bad();
    if (*number > limits_.max_id)
      return error(ErrorKind::limit,
                   key + " " + value + " is over the limit of " + std::to_string(limits_.max_id));
    id = static_cast<std::uint32_t>(*number);
    return {};
  };
  if (key.starts_with(kSchilyXattr) || key.starts_with(kLibarchiveXattr)) {
    auto xattr = xattr_of({key, value});
    if (!xattr) return error(xattr.error().kind(), xattr.error().message());
    if (xattr->name.empty() || xattr->name.find('\0') != std::string::npos)
      return error(ErrorKind::malformed, "xattr without a name or with NUL in it");
    if (xattr->name.size() > limits_.xattr_name_bytes)
      return error(ErrorKind::limit, "xattr name of " + std::to_string(xattr->name.size()) +
                                         " bytes, the limit is " +
                                         std::to_string(limits_.xattr_name_bytes));
    if (xattr->value.size() > limits_.xattr_value_bytes)
      return error(ErrorKind::limit, "xattr value of " + std::to_string(xattr->value.size()) +
                                         " bytes, the limit is " +
                                         std::to_string(limits_.xattr_value_bytes));
    const auto same = std::find_if(entry.xattrs.begin(), entry.xattrs.end(),
                                   [&](const tree::Xattr& x) { return x.name == xattr->name; });
    // bsdtar writes each xattr in both forms.
    if (same == entry.xattrs.end()) {
      entry.xattrs.push_back(std::move(*xattr));
    } else if (same->value != xattr->value) {
      return error(ErrorKind::malformed, "xattr " + quoted(xattr->name) + " has two values");
    }
    return {};
  }
  if (key.starts_with(kSchilyAcl)) {
    entry.has_acl_text = entry.has_acl_text || !value.empty();
    return {};
  }
  if (key.starts_with("GNU.sparse."))
    return error(ErrorKind::unsupported,
                 "sparse files are not supported: write the archive without --sparse");
  if (value.empty()) return {};  // removed: the header's own value holds
  if (key == "path") {
    entry.path = value;
  } else if (key == "linkpath") {
    entry.link = value;
  } else if (key == "uid") {
    return take_id(entry.uid);
  } else if (key == "gid") {
    return take_id(entry.gid);
  } else if (key == "mtime") {
    const auto time = pax_time(value);
    if (!time) return bad();
    entry.mtime = *time;
  } else if (key == "hdrcharset") {
    if (value != "BINARY" && value != "ISO-IR 10646 2000 UTF-8")
      return error(ErrorKind::unsupported, "names in the character set " + quoted(value));
  }
  return {};
}

/// What a header block says by itself, before PAX and GNU headers are laid over it.
struct TarReader::Header {
  RawTarHeader raw;
  std::uint64_t size = 0;

  std::string path() const {
    const TarDialect dialect = dialect_of(raw);
    std::string_view prefix;
    if (dialect == TarDialect::ustar) prefix = field_text(raw.prefix);
    if (dialect == TarDialect::star) prefix = field_text(std::string_view(raw.prefix.data(), 131));
    std::string path(prefix);
    if (!path.empty()) path += '/';
    path += field_text(raw.name);
    return path;
  }
};

Result<std::optional<TarEntry>> TarReader::next() {
  if (ended_) return std::optional<TarEntry>();
  TRY(skip(content_left_));
  TRY(skip(padding_));
  content_left_ = padding_ = 0;

  Records local;
  std::optional<std::string> long_name;
  std::optional<std::string> long_link;
  bool has_local = false;
  const std::uint64_t first_offset = position_;
  const auto pending = [&] { return has_local || long_name || long_link; };

  for (;;) {
    header_offset_ = position_;
    if (position_ > limits_.stream_bytes)
      return error(ErrorKind::limit, "the archive is larger than the limit of " +
                                         std::to_string(limits_.stream_bytes) + " bytes");
    Bytes block(kTarBlock);
    if (!TRY(read_block(block)))
      return error(ErrorKind::malformed, "the archive is cut off: it has no end mark");
    if (is_zero(block)) {
      if (pending())
        return error(ErrorKind::malformed, "the archive ends behind a header for a next entry");
      TRY(read_end());
      return std::optional<TarEntry>();
    }
    Header header{TRY(load<RawTarHeader>(block, 0))};
    const RawTarHeader& raw = header.raw;
    if (!has_good_checksum(raw)) return error(ErrorKind::malformed, "bad header checksum");
    // Every header counts: a chain of headers that describe nothing is work too.
    if (++entries_ > limits_.entries)
      return error(ErrorKind::limit,
                   "more entries than the limit of " + std::to_string(limits_.entries));
    const auto size = field_number(raw.size);
    if (!size || *size < 0) return error(ErrorKind::malformed, "bad size in the header");
    header.size = static_cast<std::uint64_t>(*size);

    switch (raw.type) {
      case kPaxGlobal: {
        if (pending())
          return error(ErrorKind::malformed, "a global header between an entry's own headers");
        Records records;
        TRY(read_pax(header.size, records));
        for (auto& [key, value] : records) {
          if (key == "path" || key == "linkpath" || key == "size")
            return error(ErrorKind::malformed, "a global header sets " + key + " for all entries");
          global_.insert_or_assign(key, std::move(value));
          if (global_.size() > 1000)
            return error(ErrorKind::limit, "more than 1000 records in global headers");
        }
        continue;
      }
      case kPaxLocal:
        if (has_local) return error(ErrorKind::malformed, "two PAX headers for one entry");
        has_local = true;
        TRY(read_pax(header.size, local));
        continue;
      case kGnuLongName:
        if (long_name) return error(ErrorKind::malformed, "two long names for one entry");
        long_name = TRY(read_long_name(header.size));
        continue;
      case kGnuLongLink:
        if (long_link) return error(ErrorKind::malformed, "two long link names for one entry");
        long_link = TRY(read_long_name(header.size));
        continue;
      default:
        break;
    }

    // An entry of its own.
    TarEntry entry;
    entry.header_offset = first_offset;
    switch (raw.type) {
      case '0':
      case '\0':
      case '7':
        entry.type = TarType::regular;
        break;
      case '1':
        entry.type = TarType::hard_link;
        break;
      case '2':
        entry.type = TarType::symlink;
        break;
      case '3':
        entry.type = TarType::character_device;
        break;
      case '4':
        entry.type = TarType::block_device;
        break;
      case '5':
        entry.type = TarType::directory;
        break;
      case '6':
        entry.type = TarType::fifo;
        break;
      case 'S':
        return error(ErrorKind::unsupported,
                     "sparse files are not supported: write the archive without --sparse");
      default:
        return error(ErrorKind::unsupported,
                     "entry type " + quoted(std::string_view(&raw.type, 1)) + " is not supported");
    }
    entry.path = header.path();
    entry.link = field_text(raw.link_name);
    const auto mode = field_number(raw.mode);
    const auto uid = field_number(raw.uid);
    const auto gid = field_number(raw.gid);
    const auto mtime = field_number(raw.mtime);
    if (!mode || *mode < 0) return error(ErrorKind::malformed, "bad mode in the header");
    if (!mtime) return error(ErrorKind::malformed, "bad time in the header");
    entry.mode = static_cast<std::uint32_t>(*mode & 07777);
    entry.mtime.seconds = *mtime;

    // Global records first, so that local ones replace them; a local record of a key, be it an
    // empty one, also takes the place of the header's value.
    Records records = global_;
    for (auto& [key, value] : local) records.insert_or_assign(key, std::move(value));
    if ((long_name && records.contains("path")) || (long_link && records.contains("linkpath")))
      return error(ErrorKind::malformed, "a GNU and a PAX header give two names to one entry");
    const auto take_id = [&](std::optional<std::int64_t> id, const char* key,
                             std::uint32_t& out) -> Result<void> {
      const auto record = records.find(std::string_view(key));
      if (record != records.end() && !record->second.empty()) return {};
      if (!id || *id < 0)
        return error(ErrorKind::malformed, std::string("bad ") + key + " in the header");
      if (*id > limits_.max_id)
        return error(ErrorKind::limit, std::string(key) + " " + std::to_string(*id) +
                                           " is over the limit of " +
                                           std::to_string(limits_.max_id));
      out = static_cast<std::uint32_t>(*id);
      return {};
    };
    TRY(take_id(uid, "uid", entry.uid));
    TRY(take_id(gid, "gid", entry.gid));
    for (const auto& [key, value] : records) TRY(apply_record(entry, key, value));
    if (long_name) entry.path = std::move(*long_name);
    if (long_link) entry.link = std::move(*long_link);
    std::uint64_t content = header.size;
    if (const auto record = records.find("size");
        record != records.end() && !record->second.empty()) {
      const auto number = pax_number(record->second);
      if (!number)
        return error(ErrorKind::malformed, "PAX size has the value " + quoted(record->second));
      content = *number;
    }

    if (entry.path.empty()) return error(ErrorKind::malformed, "an empty name");
    if (entry.path.size() > limits_.path_bytes || entry.link.size() > limits_.path_bytes)
      return error(ErrorKind::limit,
                   "a path or link target of " +
                       std::to_string(std::max(entry.path.size(), entry.link.size())) +
                       " bytes, the limit is " + std::to_string(limits_.path_bytes));
    if (entry.type == TarType::regular && entry.path.ends_with('/'))
      entry.type = TarType::directory;
    const bool is_link = entry.type == TarType::symlink || entry.type == TarType::hard_link;
    if (is_link && entry.link.empty())
      return error(ErrorKind::malformed, quoted(entry.path) + ": a link to nothing");
    if (!is_link) entry.link.clear();
    // Readers differ about whether such content is there, so that what follows could be two things.
    if (entry.type != TarType::regular && content != 0)
      return error(ErrorKind::malformed,
                   quoted(entry.path) + ": a size on an entry that has no content");
    if (entry.type == TarType::character_device || entry.type == TarType::block_device) {
      const auto major = field_number(raw.device_major);
      const auto minor = field_number(raw.device_minor);
      if (!major || !minor || *major < 0 || *minor < 0)
        return error(ErrorKind::malformed, quoted(entry.path) + ": bad device number");
      if (*major > 0xfff || *minor > 0xfffff)
        return error(ErrorKind::limit, quoted(entry.path) + ": device number over 4095:1048575");
      entry.rdev = static_cast<std::uint32_t>(
          makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor)));
    }
    if (content > limits_.stream_bytes)
      return error(ErrorKind::limit, quoted(entry.path) + ": " + std::to_string(content) +
                                         " bytes, the limit of an archive is " +
                                         std::to_string(limits_.stream_bytes));
    entry.size = content;
    entry.content_offset = position_;
    header_offset_ = first_offset;
    content_left_ = content;
    padding_ = padding_after(content);
    return std::optional<TarEntry>(std::move(entry));
  }
}

Result<std::size_t> TarReader::read_content(MutableByteSpan out) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), content_left_));
  if (want == 0) return std::size_t{0};
  const std::size_t n = TRY(fill(out.first(want)));
  if (n == 0) return error(ErrorKind::malformed, "the archive is cut off in a file's content");
  content_left_ -= n;
  return n;
}

}  // namespace intact::oci
