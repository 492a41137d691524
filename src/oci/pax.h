#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/tree/attributes.h>

namespace intact::oci {

inline constexpr std::string_view kSchilyXattr = "SCHILY.xattr.";
inline constexpr std::string_view kLibarchiveXattr = "LIBARCHIVE.xattr.";
inline constexpr std::string_view kSchilyAcl = "SCHILY.acl.";

struct PaxRecord {
  std::string_view key;
  std::string_view value;
};

/// Cuts the first record ("LEN KEY=VALUE\n") off the front of `text`. malformed when it is none.
Result<PaxRecord> take_pax_record(std::string_view& text);
/// Appends one.
void append_pax_record(std::string& text, std::string_view key, std::string_view value);

/// Decimal digits only; nothing when it is something else or over INT64_MAX.
std::optional<std::uint64_t> pax_number(std::string_view text);
/// [-]SECONDS[.FRACTION]; digits beyond nanoseconds are dropped.
std::optional<tree::Timestamp> pax_time(std::string_view text);
/// The shortest text that pax_time() reads back.
std::string to_pax_time(const tree::Timestamp& time);

/// The xattr of a SCHILY.xattr or LIBARCHIVE.xattr record (name url-encoded, value base64).
Result<tree::Xattr> xattr_of(const PaxRecord& record);

}  // namespace intact::oci
