#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/crypto/signature_key.h>
#include <intact/sign/basis.h>

namespace intact::sign {

// The key of this machine, or of one of its users, signs what was found out here: local seals. It
// is kept in a state directory, outside every store:
//
//   STATE/local-seal/key.pem   mode 0600, in a directory of mode 0700
//   STATE/local-seal.pub       for everybody who is to believe these seals
//
// Both have PEM labels of their own, so that neither is taken for a publisher's key, nor a
// publisher's key for one of these, wherever they are copied.

inline constexpr std::string_view kMachineKeyLabel = "INTACT LOCAL SEAL PRIVATE KEY";
inline constexpr std::string_view kMachinePublicLabel = "INTACT LOCAL SEAL PUBLIC KEY";

/// The public half. Immutable, cheap to copy, safe to share among threads.
class MachinePublicKey {
 public:
  /// Exactly one PEM block with kMachinePublicLabel and an ECDSA P-256 key.
  static Result<MachinePublicKey> from_pem(std::string_view pem);
  std::string to_pem() const;

  bool verify(ByteSpan message, ByteSpan signature) const;
  std::string fingerprint() const;  ///< "sha256:HEX" of the SubjectPublicKeyInfo

 private:
  friend class MachineKey;
  explicit MachinePublicKey(crypto::VerifyingKey key) : key_(std::move(key)) {}
  crypto::VerifyingKey key_;
};

/// The key that signs. Safe to share among threads.
class MachineKey {
 public:
  /// The key in a state directory, which is made at first use together with the directory.
  /// untrusted: the directory or the key belongs to somebody else, or others could change the one
  /// or read the other. busy: ten seconds without the lock.
  static Result<MachineKey> load_or_create(const std::string& state_directory);

  Result<Bytes> sign(ByteSpan message) const;
  MachinePublicKey public_key() const { return MachinePublicKey(key_.verifying_key()); }

 private:
  explicit MachineKey(crypto::SigningKey key) : key_(std::move(key)) {}
  crypto::SigningKey key_;
};

/// The public keys in these state directories; one that has none is passed over. untrusted if
/// anyone except root and this user could have changed one.
Result<std::vector<MachinePublicKey>> load_machine_keys(
    const std::vector<std::string>& state_directories);

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
