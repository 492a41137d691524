#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/oci/tar_reader.h>
#include <intact/tree/attributes.h>

namespace intact::oci {

inline constexpr std::string_view kGnuSparse = "GNU.sparse.";

/// A PAX record whose value has been parsed.
struct TarRecord {
  enum class Kind { ignored, path, link, size, uid, gid, mtime, acl_text, xattr };
  Kind kind = Kind::ignored;
  std::string text;          ///< of path and link
  std::uint64_t number = 0;  ///< of size, uid and gid
  tree::Timestamp time;      ///< of mtime
  tree::Xattr xattr;
};

/// Parses the value of a record. An empty value means that the key is not set (ignored), except
/// for xattrs, whose value may be empty; so are keys that say nothing about an entry. Errors:
/// malformed, unsupported, and limit by `limits`.
Result<TarRecord> parse_tar_record(std::string_view key, std::string_view value,
                                   const TarLimits& limits);

/// Checks a user or group id; `key` names it in the error.
Result<std::uint32_t> check_tar_id(std::uint64_t id, std::string_view key, const TarLimits& limits);

/// Text of an archive for an error message: in quotes, shortened, without control characters.
std::string quoted(std::string_view text);

}  // namespace intact::oci
