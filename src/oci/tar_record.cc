#include "tar_record.h"

#include <intact/base/visible.h>

#include "pax.h"

namespace intact::oci {
namespace {

Result<tree::Xattr> parse_xattr(std::string_view key, std::string_view value,
                                const TarLimits& limits) {
  tree::Xattr xattr = TRY(xattr_of({key, value}));
  if (xattr.name.empty() || xattr.name.find('\0') != std::string::npos)
    return Error(ErrorKind::malformed, "xattr without a name or with NUL in it");
  if (xattr.name.size() > limits.xattr_name_bytes)
    return Error(ErrorKind::limit, "xattr name of " + std::to_string(xattr.name.size()) +
                                       " bytes, the limit is " +
                                       std::to_string(limits.xattr_name_bytes));
  if (xattr.value.size() > limits.xattr_value_bytes)
    return Error(ErrorKind::limit, "xattr value of " + std::to_string(xattr.value.size()) +
                                       " bytes, the limit is " +
                                       std::to_string(limits.xattr_value_bytes));
  return xattr;
}

}  // namespace

std::string quoted(std::string_view text) {
  constexpr std::size_t kMax = 200;  // bytes
  return "'" + visible(text.substr(0, kMax)) + (text.size() > kMax ? "...'" : "'");
}

Result<std::uint32_t> check_tar_id(std::uint64_t id, std::string_view key,
                                   const TarLimits& limits) {
  if (id <= limits.max_id) return static_cast<std::uint32_t>(id);
  return Error(ErrorKind::limit, std::string(key) + " " + std::to_string(id) +
                                     " is over the limit of " + std::to_string(limits.max_id));
}

Result<TarRecord> parse_tar_record(std::string_view key, std::string_view value,
                                   const TarLimits& limits) {
  using Kind = TarRecord::Kind;
  TarRecord record;
  const auto wrong = [&] {
    return Error(ErrorKind::malformed,
                 "PAX " + std::string(key) + " has the value " + quoted(value));
  };
  const auto set_number = [&](Kind kind) -> Result<TarRecord> {
    const auto parsed = pax_number(value);
    if (!parsed) return wrong();
    if (kind != Kind::size) TRY(check_tar_id(*parsed, key, limits));
    record.kind = kind;
    record.number = *parsed;
    return std::move(record);
  };
  if (key.starts_with(kSchilyXattr) || key.starts_with(kLibarchiveXattr)) {
    record.kind = Kind::xattr;
    record.xattr = TRY(parse_xattr(key, value, limits));
  } else if (value.empty()) {
    // The key is not set, so the header's own value holds.
  } else if (key.starts_with(kSchilyAcl)) {
    record.kind = Kind::acl_text;
  } else if (key == "path" || key == "linkpath") {
    record.kind = key == "path" ? Kind::path : Kind::link;
    record.text = value;
  } else if (key == "size") {
    return set_number(Kind::size);
  } else if (key == "uid") {
    return set_number(Kind::uid);
  } else if (key == "gid") {
    return set_number(Kind::gid);
  } else if (key == "mtime") {
    const auto time = pax_time(value);
    if (!time) return wrong();
    record.kind = Kind::mtime;
    record.time = *time;
  } else if (key == "hdrcharset" && value != "BINARY" && value != "ISO-IR 10646 2000 UTF-8") {
    return Error(ErrorKind::unsupported, "names in the character set " + quoted(value));
  }
  return record;
}

}  // namespace intact::oci
