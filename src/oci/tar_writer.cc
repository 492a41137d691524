#include <algorithm>
#include <string>

#include <sys/sysmacros.h>

#include <intact/base/endian.h>
#include <intact/oci/tree_tar.h>

#include "pax.h"
#include "tar_header.h"

namespace intact::oci {
namespace {

constexpr std::uint64_t kMaxOctal7 = 07777777;
constexpr std::uint64_t kMaxOctal11 = 077777777777;

char type_flag(TarType type) {
  switch (type) {
    case TarType::regular:
      return '0';
    case TarType::hard_link:
      return '1';
    case TarType::symlink:
      return '2';
    case TarType::character_device:
      return '3';
    case TarType::block_device:
      return '4';
    case TarType::directory:
      return '5';
    case TarType::fifo:
      return '6';
  }
  return '0';
}

/// Digits to the last byte but one, which is NUL.
template <std::size_t N>
void put_octal(std::array<char, N>& field, std::uint64_t value) {
  field[N - 1] = '\0';
  for (std::size_t i = N - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
}

template <std::size_t N>
void put_text(std::array<char, N>& field, std::string_view text) {
  std::copy_n(text.begin(), std::min(text.size(), N), field.begin());
}

void put_common(RawTarHeader& header) {
  put_text(header.magic, std::string_view("ustar\00000", 8));
  put_octal(header.device_major, 0);
  put_octal(header.device_minor, 0);
}

void put_checksum(RawTarHeader& header) {
  std::array<char, 7> digits;
  put_octal(digits, static_cast<std::uint64_t>(tar_checksum(header)));
  put_text(header.checksum, std::string_view(digits.data(), digits.size()));
  header.checksum[7] = ' ';
}

/// Puts a path into name and prefix; false when it does not fit.
bool put_path(RawTarHeader& header, std::string_view path) {
  if (path.size() <= header.name.size()) {
    put_text(header.name, path);
    return true;
  }
  // The slash between the two parts is not stored, and the name must not be empty.
  const std::size_t slash = path.rfind('/', header.prefix.size());
  if (slash == std::string_view::npos || slash == 0) return false;
  const std::string_view name = path.substr(slash + 1);
  if (name.empty() || name.size() > header.name.size()) return false;
  put_text(header.prefix, path.substr(0, slash));
  put_text(header.name, name);
  return true;
}

/// Puts a number into its field, or where it is too large 0 there and the number into `pax`.
template <std::size_t N>
void put_number(std::array<char, N>& field, std::uint64_t value, std::uint64_t most,
                std::string_view key, std::string& pax) {
  if (value > most) append_pax_record(pax, key, std::to_string(value));
  put_octal(field, value > most ? 0 : value);
}

Result<void> check_entry(const TarEntry& entry) {
  const bool is_link = entry.type == TarType::symlink || entry.type == TarType::hard_link;
  if (entry.path.empty() || entry.path.find('\0') != std::string::npos ||
      entry.link.find('\0') != std::string::npos || entry.link.empty() == is_link ||
      (entry.size != 0 && entry.type != TarType::regular))
    return Error(ErrorKind::invalid_argument, "tar: entry '" + entry.path + "' contradicts itself");
  return {};
}

void put_names(RawTarHeader& header, const TarEntry& entry, std::string& pax) {
  std::string path = entry.path;
  if (entry.type == TarType::directory && !path.ends_with('/')) path += '/';
  if (!put_path(header, path)) {
    append_pax_record(pax, "path", path);
    put_text(header.name, path);
  }
  if (entry.link.size() > header.link_name.size()) append_pax_record(pax, "linkpath", entry.link);
  put_text(header.link_name, entry.link);
}

/// The field has whole seconds since 1970 only.
void put_time(RawTarHeader& header, const tree::Timestamp& time, std::string& pax) {
  const bool has_field =
      time.seconds >= 0 && static_cast<std::uint64_t>(time.seconds) <= kMaxOctal11;
  if (!has_field || time.nanoseconds != 0) append_pax_record(pax, "mtime", to_pax_time(time));
  put_octal(header.mtime, has_field ? static_cast<std::uint64_t>(time.seconds) : 0);
}

Result<void> put_device(RawTarHeader& header, const TarEntry& entry) {
  if (entry.type != TarType::character_device && entry.type != TarType::block_device) return {};
  if (major(entry.rdev) > kMaxOctal7 || minor(entry.rdev) > kMaxOctal7)
    return Error(ErrorKind::invalid_argument,
                 "tar: '" + entry.path + "' has a device number too large for the format");
  put_octal(header.device_major, major(entry.rdev));
  put_octal(header.device_minor, minor(entry.rdev));
  return {};
}

Result<void> append_xattrs(std::string& pax, const TarEntry& entry) {
  std::vector<tree::Xattr> xattrs = entry.xattrs;
  std::sort(xattrs.begin(), xattrs.end());
  for (const tree::Xattr& xattr : xattrs) {
    // A key ends at its first '='.
    if (xattr.name.empty() ||
        xattr.name.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
      return Error(ErrorKind::invalid_argument,
                   "tar: '" + entry.path + "' has an xattr whose name a tar cannot contain");
    append_pax_record(pax, std::string(kSchilyXattr) + xattr.name, xattr.value);
  }
  return {};
}

RawTarHeader pax_header(std::uint64_t size) {
  RawTarHeader header{};
  put_common(header);
  header.type = 'x';
  put_text(header.name, "././@PaxHeader");
  put_octal(header.mode, 0644);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, size);
  put_octal(header.mtime, 0);
  put_checksum(header);
  return header;
}

}  // namespace

Result<void> TarWriter::write_padding(std::uint64_t size) {
  static constexpr std::array<std::byte, kTarBlock> kZeros{};
  return sink_(ByteSpan(kZeros).first((kTarBlock - size % kTarBlock) % kTarBlock));
}

Result<void> TarWriter::end_entry() {
  if (content_left_ != 0)
    return Error(ErrorKind::invalid_argument,
                 "tar: " + std::to_string(content_left_) + " bytes of content are missing");
  TRY(write_padding(content_size_));
  content_size_ = 0;
  return {};
}

Result<void> TarWriter::add(const TarEntry& entry) {
  TRY(end_entry());
  TRY(check_entry(entry));
  RawTarHeader header{};
  std::string pax;  // what the header has no room for
  put_common(header);
  header.type = type_flag(entry.type);
  put_names(header, entry, pax);
  put_octal(header.mode, entry.mode & 07777);
  put_number(header.uid, entry.uid, kMaxOctal7, "uid", pax);
  put_number(header.gid, entry.gid, kMaxOctal7, "gid", pax);
  put_number(header.size, entry.size, kMaxOctal11, "size", pax);
  put_time(header, entry.mtime, pax);
  TRY(put_device(header, entry));
  TRY(append_xattrs(pax, entry));
  put_checksum(header);

  if (!pax.empty()) {
    TRY(sink_(bytes_of(pax_header(pax.size()))));
    TRY(sink_(as_bytes(pax)));
    TRY(write_padding(pax.size()));
  }
  TRY(sink_(bytes_of(header)));
  content_left_ = content_size_ = entry.size;
  return {};
}

Result<void> TarWriter::write_content(ByteSpan bytes) {
  if (bytes.size() > content_left_)
    return Error(ErrorKind::invalid_argument, "tar: more content than the entry announced");
  TRY(sink_(bytes));
  content_left_ -= bytes.size();
  return {};
}

Result<void> TarWriter::finish() {
  TRY(end_entry());
  const Bytes end(2 * kTarBlock);
  return sink_(end);
}

}  // namespace intact::oci
