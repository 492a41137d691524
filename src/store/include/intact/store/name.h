#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <intact/base/result.h>

namespace intact::store {

/// Hexadecimal digits from which on a text is a digest without "sha256:" before it.
inline constexpr std::size_t kMinBareDigest = 12;

/// Whether `text` can only mean a digest, whole or short: whatever begins with "sha256:", "sha384:"
/// or "sha512:", and kMinBareDigest or more hexadecimal digits, in upper or lower case. It never
/// names an image, since anyone who
/// can write to a store or makes a layout could give that name to another image.
bool is_digest_form(std::string_view text);

/// Whether `name` may name an image: valid UTF-8 without control characters or spaces at its ends,
/// not beginning with "-" or with a transport prefix that a SOURCE has ("oci:", "tar:", ...), not
/// of the form of a digest, without one after @ that would not be compared, and short enough for a
/// file name once encoded. invalid_argument says which rule it breaks.
Result<void> check_name(std::string_view name);

/// The file name (without ".json") that stands for `name`: percent-encoding of everything but
/// letters, digits and "-_.:@+=,~", and of a leading dot. One encoding for each name.
std::string encode_name(std::string_view name);

/// Inverse of encode_name. malformed if `encoded` is not exactly what encode_name makes.
Result<std::string> decode_name(std::string_view encoded);

}  // namespace intact::store
