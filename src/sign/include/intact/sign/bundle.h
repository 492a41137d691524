#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/sign/key.h>
#include <intact/sign/payload.h>
#include <intact/sign/statement.h>

namespace intact::sign {

/// The media type of the bundles that cosign 3 writes by default. Older spellings are read too.
inline constexpr std::string_view kBundleMediaType =
    "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Whether it is a media type of sigstore bundles, of any version.
bool is_bundle_type(std::string_view media_type);

inline constexpr std::size_t kMaxBundleSize = 4 * 1024 * 1024;  // bytes
inline constexpr std::size_t kMaxCertificates = 8;              // of one signature

/// A sigstore bundle (v0.1 to v0.3): a signed statement, or a signature over the bytes of a file.
/// Nothing in it has been checked. Entries of transparency logs and timestamps in it are not used.
struct Bundle {
  /// Has exactly one signature. Nothing: it signs a file, which is never the signature of an image.
  std::optional<Envelope> envelope;
  std::string key_hint;             ///< unauthenticated; may be empty
  std::vector<Bytes> certificates;  ///< DER, the signer's first; empty: signed with a bare key
};

/// malformed: not a bundle, or one that readers could understand in several ways (duplicate
/// members, two contents); unsupported: a version that is not known; limit.
Result<Bundle> parse_bundle(ByteSpan json);

/// Signs as `cosign sign` does with a key, and with our identity in what is signed. ECDSA is
/// randomized: two calls return two different bundles.
Result<Bytes> make_bundle(const SigningPayload& payload, const PrivateKey& key);

}  // namespace intact::sign
