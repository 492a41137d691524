#pragma once

#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::store {

/// Limit for a record, a lease or the marker, in bytes.
inline constexpr std::uint64_t kRecordLimit = 4 * 1024 * 1024;

/// What stands in names/ and leases/: {"version":1,"name":...,"manifest":"sha256:..."...}
std::string encode_record(const NamedImage& image);
/// malformed when it is not a record; unsupported when a newer version wrote it.
Result<NamedImage> parse_record(ByteSpan bytes);

/// The marker of a store.
std::string encode_marker();
Result<void> check_marker(ByteSpan bytes);

}  // namespace intact::store
