#pragma once

#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/signature_key.h>

namespace intact::sign {

// The key of this machine, or of one of its users, signs what was found out here: local seals
// (local_seal.h). It is kept in a state directory, outside every store:
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

}  // namespace intact::sign
