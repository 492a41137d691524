// From the headers of an entry to the entry: the part of TarReader that looks at values.

#include <algorithm>
#include <functional>
#include <map>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <intact/oci/tar_reader.h>

#include "pax.h"
#include "tar_header.h"
#include "tar_record.h"
#include "tar_special.h"

namespace intact::oci {
namespace {

/// Nothing for types that are not known here.
std::optional<TarType> type_of(char flag) {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
    case kGnuSparseFile:
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

}  // namespace

/// Puts together what the headers say: the entry's own, then global records, then local ones, then
/// GNU's names. A local record hides the global one of its key, even with an empty value.
Result<TarEntry> TarReader::make_entry(const RawTarHeader& raw, Special& special) const {
  const auto type = type_of(raw.type);
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

  const Records& records = special.records;
  const auto sparse_name = records.find("GNU.sparse.name");
  const bool has_sparse_name = sparse_name != records.end() && !sparse_name->second.empty();
  if ((special.name && (records.contains("path") || has_sparse_name)) ||
      (special.link && records.contains("linkpath")))
    return error(ErrorKind::malformed, "a GNU and a PAX header give two names to one entry");
  const auto own_id = [&](const auto& field, std::string_view key) -> Result<std::uint32_t> {
    // The header's own value need not be one if a record gives another.
    const auto local = records.find(key);
    const bool overridden =
        local != records.end() ? !local->second.empty() : global_->records.contains(key);
    if (overridden) return std::uint32_t{0};
    const auto id = field_number(field);
    if (!id || *id < 0)
      return error(ErrorKind::malformed, "bad " + std::string(key) + " in the header");
    auto checked = check_tar_id(static_cast<std::uint64_t>(*id), key, limits_);
    if (!checked) return error(checked.error().kind(), checked.error().message());
    return *checked;
  };
  entry.uid = TRY(own_id(raw.uid, "uid"));
  entry.gid = TRY(own_id(raw.gid, "gid"));
  TRY(apply_records(entry, special));
  if (special.name) entry.path = std::move(*special.name);
  if (special.link) entry.link = std::move(*special.link);
  if (has_sparse_name) entry.path = sparse_name->second;
  TRY(check_entry(raw, entry));
  if (entry.type == TarType::character_device || entry.type == TarType::block_device)
    entry.rdev = TRY(device_number(raw, entry.path));
  return entry;
}

/// Applies the global records that no local one hides, then the local ones.
Result<void> TarReader::apply_records(TarEntry& entry, const Special& special) const {
  using Kind = TarRecord::Kind;
  std::map<std::string, std::size_t, std::less<>> xattrs;  // where each is in entry.xattrs
  const auto add_xattr = [&](tree::Xattr xattr) -> Result<void> {
    const auto [place, is_new] = xattrs.try_emplace(xattr.name, entry.xattrs.size());
    if (!is_new) {
      // bsdtar writes each xattr in both forms.
      if (entry.xattrs[place->second].value == xattr.value) return {};
      return error(ErrorKind::malformed, "xattr " + quoted(xattr.name) + " has two values");
    }
    if (entry.xattrs.size() == limits_.xattrs)
      return error(ErrorKind::limit, "more xattrs than the limit of " +
                                         std::to_string(limits_.xattrs) + "; raise --max-xattrs");
    entry.xattrs.push_back(std::move(xattr));
    return {};
  };
  const auto apply = [&](std::string_view key, TarRecord record) -> Result<void> {
    switch (record.kind) {
      case Kind::ignored:
        break;
      case Kind::path:
        entry.path = std::move(record.text);
        break;
      case Kind::link:
        entry.link = std::move(record.text);
        break;
      case Kind::size:
        entry.size = record.number;
        break;
      case Kind::uid:
        entry.uid = static_cast<std::uint32_t>(record.number);
        break;
      case Kind::gid:
        entry.gid = static_cast<std::uint32_t>(record.number);
        break;
      case Kind::mtime:
        entry.mtime = record.time;
        break;
      case Kind::acl_text:
        entry.has_acl_text = true;
        break;
      case Kind::xattr:
        entry.has_schily_capability |= key == "SCHILY.xattr.security.capability";
        return add_xattr(std::move(record.xattr));
    }
    return {};
  };
  for (const auto& [key, record] : global_->records)
    if (!special.records.contains(key)) TRY(apply(key, record));
  for (const auto& [key, value] : special.records) {
    auto record = parse_tar_record(key, value, limits_);
    if (!record) return error(record.error().kind(), record.error().message());
    TRY(apply(key, std::move(*record)));
  }
  return {};
}

/// What must be true whichever header said it.
Result<void> TarReader::check_entry(const RawTarHeader& raw, TarEntry& entry) const {
  if (entry.path.empty()) return error(ErrorKind::malformed, "an empty name");
  const std::size_t longest = std::max(entry.path.size(), entry.link.size());
  if (longest > limits_.path_bytes)
    return error(ErrorKind::limit, "a path or link target of " + std::to_string(longest) +
                                       " bytes, the limit is " +
                                       std::to_string(limits_.path_bytes));
  if (entry.type == TarType::regular && entry.path.ends_with('/')) {
    // v7 has no type for directories. With a later type some readers see a file here.
    if (raw.type != '\0' && entry.size != 0)
      return error(ErrorKind::malformed,
                   quoted(entry.path) +
                       ": a directory by its name, but a file with content by its "
                       "type");
    entry.type = TarType::directory;
  }
  const bool is_link = entry.type == TarType::symlink || entry.type == TarType::hard_link;
  if (is_link && entry.link.empty())
    return error(ErrorKind::malformed, quoted(entry.path) + ": a link to nothing");
  if (!is_link) entry.link.clear();
  // Some writers state the size of a link's target or of a directory. Nothing follows all the same.
  if (entry.type != TarType::regular) entry.size = 0;
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

std::uint32_t file_type(TarType type) {
  switch (type) {
    case TarType::regular:
    case TarType::hard_link:
      return S_IFREG;
    case TarType::symlink:
      return S_IFLNK;
    case TarType::character_device:
      return S_IFCHR;
    case TarType::block_device:
      return S_IFBLK;
    case TarType::directory:
      return S_IFDIR;
    case TarType::fifo:
      return S_IFIFO;
  }
  return S_IFREG;
}

}  // namespace intact::oci
