#pragma once

#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::store {

/// Limit for a record, a lease or the marker, in bytes.
inline constexpr std::uint64_t kRecordLimit = 4 * 1024 * 1024;

/// The content of a file in names/ or leases/: {"version":2,"name":...,"manifest":"sha256:..."...}
std::string encode_record(const NamedImage& image);
/// malformed when it is not a record; unsupported when a newer version wrote it.
Result<NamedImage> parse_record(ByteSpan bytes);

/// The marker of a store.
struct Marker {
  std::string id;  ///< 32 hex digits; empty: an older version made the store
  bool shared = false;
};
std::string encode_marker(const Marker& marker);
/// unsupported when a newer version wrote it.
Result<Marker> parse_marker(ByteSpan bytes);

}  // namespace intact::store
