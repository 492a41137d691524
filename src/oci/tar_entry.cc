// From the headers of an entry to the entry: the part of TarReader that looks at values.

#include <algorithm>
#include <array>

#include <sys/sysmacros.h>

#include <intact/oci/tar_reader.h>

#include "pax.h"
#include "tar_header.h"
#include "tar_special.h"

namespace intact::oci {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 200)) out += c >= 0x20 && c != 0x7f ? c : '?';
  return out + (text.size() > 200 ? "...'" : "'");
}

/// Nothing for types that are not known here.
std::optional<TarType> type_of(char flag) {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
      return TarType::regular;
    case '1':
      return TarType::hard_link;
    case '2':
      return TarType::symlink;
    case '3':
      return TarType::character_device;
    case '4':
      return TarType::block_device;
    case '5':
      return TarType::directory;
    case '6':
      return TarType::fifo;
    default:
      return std::nullopt;
  }
}

std::string path_of(const RawTarHeader& raw) {
  const TarDialect dialect = dialect_of(raw);
  std::string path;
  if (dialect == TarDialect::ustar) path = field_text(raw.prefix);
  if (dialect == TarDialect::star) path = field_text(std::string_view(raw.prefix.data(), 131));
  if (!path.empty()) path += '/';
  path += field_text(raw.name);
  return path;
}

constexpr std::string_view kNoSparse =
    "sparse files are not supported: write the archive without --sparse";
constexpr std::string_view kGnuSparse = "GNU.sparse.";

}  // namespace

bool is_used_record(std::string_view key) {
  static constexpr std::array<std::string_view, 7> kKeys{"path", "linkpath", "size",      "uid",
                                                         "gid",  "mtime",    "hdrcharset"};
  static constexpr std::array kPrefixes{kSchilyXattr, kLibarchiveXattr, kSchilyAcl, kGnuSparse};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end() ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

/// Lays the headers over each other: the entry's own, then global records, then local ones, then
/// GNU's names. A local record of a key, be it an empty one, hides the global one.
Result<TarEntry> TarReader::make_entry(const RawTarHeader& raw, Special&& special) const {
  const auto type = type_of(raw.type);
  if (raw.type == 'S') return error(ErrorKind::unsupported, std::string(kNoSparse));
  if (!type)
    return error(ErrorKind::unsupported,
                 "entry type " + quoted(std::string_view(&raw.type, 1)) + " is not supported");
  TarEntry entry;
  entry.type = *type;
  entry.path = path_of(raw);
  entry.link = field_text(raw.link_name);
  const auto mode = field_number(raw.mode);
  const auto mtime = field_number(raw.mtime);
  const auto size = field_number(raw.size);
  if (!mode || *mode < 0) return error(ErrorKind::malformed, "bad mode in the header");
  if (!mtime) return error(ErrorKind::malformed, "bad time in the header");
  if (!size || *size < 0) return error(ErrorKind::malformed, "bad size in the header");
  entry.mode = static_cast<std::uint32_t>(*mode & 07777);
  entry.mtime.seconds = *mtime;
  entry.size = static_cast<std::uint64_t>(*size);

  Records records = global_;
  for (auto& [key, value] : special.records) records.insert_or_assign(key, std::move(value));
  if ((special.name && records.contains("path")) || (special.link && records.contains("linkpath")))
    return error(ErrorKind::malformed, "a GNU and a PAX header give two names to one entry");
  entry.uid = TRY(header_id(field_number(raw.uid), "uid", records));
  entry.gid = TRY(header_id(field_number(raw.gid), "gid", records));
  for (const auto& [key, value] : records) TRY(apply_record(entry, key, value));
  if (special.name) entry.path = std::move(*special.name);
  if (special.link) entry.link = std::move(*special.link);
  TRY(check_entry(entry));
  if (entry.type == TarType::character_device || entry.type == TarType::block_device)
    entry.rdev = TRY(device_number(raw, entry.path));
  return entry;
}

/// The id of the header itself; 0 when a record will give another one.
Result<std::uint32_t> TarReader::header_id(std::optional<std::int64_t> id, std::string_view key,
                                           const Records& records) const {
  const auto record = records.find(key);
  if (record != records.end() && !record->second.empty()) return std::uint32_t{0};
  if (!id || *id < 0)
    return error(ErrorKind::malformed, "bad " + std::string(key) + " in the header");
  return check_id(static_cast<std::uint64_t>(*id), key);
}

Result<std::uint32_t> TarReader::check_id(std::uint64_t id, std::string_view key) const {
  if (id <= limits_.max_id) return static_cast<std::uint32_t>(id);
  return error(ErrorKind::limit, std::string(key) + " " + std::to_string(id) +
                                     " is over the limit of " + std::to_string(limits_.max_id));
}

Result<void> TarReader::apply_record(TarEntry& entry, const std::string& key,
                                     const std::string& value) const {
  const auto number = [&]() -> Result<std::uint64_t> {
    if (const auto parsed = pax_number(value)) return *parsed;
    return error(ErrorKind::malformed, "PAX " + key + " has the value " + quoted(value));
  };
  if (key.starts_with(kSchilyXattr) || key.starts_with(kLibarchiveXattr))
    return add_xattr(entry, key, value);
  if (key.starts_with(kGnuSparse)) return error(ErrorKind::unsupported, std::string(kNoSparse));
  if (value.empty()) return {};  // removed: the header's own value holds
  if (key.starts_with(kSchilyAcl)) {
    entry.has_acl_text = true;
  } else if (key == "path") {
    entry.path = value;
  } else if (key == "linkpath") {
    entry.link = value;
  } else if (key == "size") {
    entry.size = TRY(number());
  } else if (key == "uid") {
    entry.uid = TRY(check_id(TRY(number()), key));
  } else if (key == "gid") {
    entry.gid = TRY(check_id(TRY(number()), key));
  } else if (key == "mtime") {
    const auto time = pax_time(value);
    if (!time) return error(ErrorKind::malformed, "PAX mtime has the value " + quoted(value));
    entry.mtime = *time;
  } else if (key == "hdrcharset" && value != "BINARY" && value != "ISO-IR 10646 2000 UTF-8") {
    return error(ErrorKind::unsupported, "names in the character set " + quoted(value));
  }
  return {};
}

Result<void> TarReader::add_xattr(TarEntry& entry, const std::string& key,
                                  const std::string& value) const {
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
    if (entry.xattrs.size() == limits_.xattrs)
      return error(ErrorKind::limit,
                   "more xattrs than the limit of " + std::to_string(limits_.xattrs));
    entry.xattrs.push_back(std::move(*xattr));
  } else if (same->value != xattr->value) {
    return error(ErrorKind::malformed, "xattr " + quoted(xattr->name) + " has two values");
  }
  return {};
}

/// What has to hold whichever header said it.
Result<void> TarReader::check_entry(TarEntry& entry) const {
  if (entry.path.empty()) return error(ErrorKind::malformed, "an empty name");
  const std::size_t longest = std::max(entry.path.size(), entry.link.size());
  if (longest > limits_.path_bytes)
    return error(ErrorKind::limit, "a path or link target of " + std::to_string(longest) +
                                       " bytes, the limit is " +
                                       std::to_string(limits_.path_bytes));
  if (entry.type == TarType::regular && entry.path.ends_with('/')) entry.type = TarType::directory;
  const bool is_link = entry.type == TarType::symlink || entry.type == TarType::hard_link;
  if (is_link && entry.link.empty())
    return error(ErrorKind::malformed, quoted(entry.path) + ": a link to nothing");
  if (!is_link) entry.link.clear();
  // Readers differ about whether such content is there, so that what follows could be two things.
  if (entry.type != TarType::regular && entry.size != 0)
    return error(ErrorKind::malformed,
                 quoted(entry.path) + ": a size on an entry that has no content");
  if (entry.size > limits_.stream_bytes)
    return error(ErrorKind::limit, quoted(entry.path) + ": " + std::to_string(entry.size) +
                                       " bytes, the limit of an archive is " +
                                       std::to_string(limits_.stream_bytes));
  return {};
}

Result<std::uint32_t> TarReader::device_number(const RawTarHeader& raw,
                                               const std::string& path) const {
  const auto major = field_number(raw.device_major);
  const auto minor = field_number(raw.device_minor);
  if (!major || !minor || *major < 0 || *minor < 0)
    return error(ErrorKind::malformed, quoted(path) + ": bad device number");
  if (*major > 0xfff || *minor > 0xfffff)
    return error(ErrorKind::limit, quoted(path) + ": device number over 4095:1048575");
  return static_cast<std::uint32_t>(
      makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor)));
}

}  // namespace intact::oci
