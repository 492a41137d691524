#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/basis.h>
#include <intact/sign/machine_key.h>

namespace intact::sign {

/// The kind of evidence that a record in a store has of a local seal.
inline constexpr std::string_view kLocalSeal = "local-seal";

/// What a machine found out when it pulled an image that does not say itself what it unpacks to:
/// its verified layers make this image. Everything in it is signed.
struct LocalSeal {
  std::string name;          ///< in the store
  Digest manifest;           ///< of the OCI manifest
  Digest image;              ///< what the layers made
  std::string format;        ///< of the image, as in the label of a sealed image
  std::int64_t created = 0;  ///< seconds since 1970
  Basis basis = Basis::none;
  std::string signer = {};  ///< fingerprint of the publisher's key; only with Basis::signature
  /// The image that its labels name, which was found to be that of its base: it counts no more.
  std::optional<Digest> base = {};

  bool operator==(const LocalSeal&) const = default;
};

inline constexpr std::size_t kMaxLocalSealSize = 16 * 1024;  // bytes

/// The document: a DSSE envelope, JSON with exactly these members.
///   {"payloadType": "application/vnd.intact.local-seal.v1+json",
///    "payload": BASE64, "signatures": [{"sig": BASE64}]}
/// The payload is JSON with exactly these members, "signer" only with the basis "signature", "base"
/// only if there is one:
///   {"version": 1, "name": TEXT, "manifest": DIGEST, "image": DIGEST, "format": TEXT,
///    "created": SECONDS, "basis": "signature|pin|first-use|none", "signer": "sha256:HEX",
///    "base": DIGEST}
/// The signature (ECDSA P-256, SHA-256) covers type and payload, as DSSE's PAE has them.
Result<Bytes> make_local_seal(const LocalSeal& seal, const MachineKey& key);

/// What a document says once one of the keys is known to have signed it: before that it is not
/// parsed. untrusted: none has; malformed: not exactly such a document.
Result<LocalSeal> open_local_seal(ByteSpan document, const std::vector<MachinePublicKey>& keys);

/// The same without a check of the signature, for listings.
Result<LocalSeal> read_local_seal_unverified(ByteSpan document);

}  // namespace intact::sign
