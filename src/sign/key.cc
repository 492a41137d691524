#include <optional>
#include <span>
#include <utility>

#include <intact/base/file.h>
#include <intact/base/thread.h>
#include <intact/crypto/hash.h>
#include <intact/crypto/pem.h>
#include <intact/sign/key.h>

#include "cosign_key.h"

namespace intact::sign {
namespace {

using crypto::KeyType;
using crypto::PrivateKeyForm;
using crypto::SignatureScheme;

/// What a key's signatures may be, the one that we make first: no algorithm is stored with a
/// signature, it follows from the key. Released cosigns hash with SHA-256 for every curve; the
/// specification wants the curve's own hash. Ed25519 ones sign the payload itself before version 3
/// and its hash since.
std::span<const SignatureScheme> schemes_of(KeyType type) {
  static constexpr SignatureScheme kP256[] = {SignatureScheme::ecdsa_sha256};
  static constexpr SignatureScheme kP384[] = {SignatureScheme::ecdsa_sha256,
                                              SignatureScheme::ecdsa_sha384};
  static constexpr SignatureScheme kP521[] = {SignatureScheme::ecdsa_sha256,
                                              SignatureScheme::ecdsa_sha512};
  static constexpr SignatureScheme kEd25519[] = {SignatureScheme::ed25519,
                                                 SignatureScheme::ed25519ph};
  static constexpr SignatureScheme kRsa[] = {SignatureScheme::rsa_pkcs1_sha256};
  switch (type) {
    case KeyType::ecdsa_p256:
      return kP256;
    case KeyType::ecdsa_p384:
      return kP384;
    case KeyType::ecdsa_p521:
      return kP521;
    case KeyType::ed25519:
      return kEd25519;
    case KeyType::rsa:
      return kRsa;
  }
  return {};
}

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  const auto blocks = TRY(crypto::parse_pem(pem));
  if (blocks.size() != 1) return Error(ErrorKind::malformed, "want one public key, and no more");
  const crypto::PemBlock& block = blocks.front();
  if (block.label.ends_with("PRIVATE KEY"))
    return Error(ErrorKind::invalid_argument,
                 "this is a private key: give the public one (.pub) and keep this one secret");
  if (block.label != "PUBLIC KEY")
    return Error(ErrorKind::unsupported, "a PEM block of '" + block.label + "', not 'PUBLIC KEY'");
  return PublicKey(TRY(crypto::VerifyingKey::from_spki(block.body.expose())));
}

Result<PublicKey> PublicKey::load(const std::string& file) {
  const Bytes text = TRY(read_file(file, crypto::kMaxPemSize));
  return from_pem(as_text(text)).context(file);
}

Result<void> PublicKey::verify(ByteSpan message, ByteSpan signature) const {
  for (const SignatureScheme scheme : schemes_of(type()))
    if (key_.verify(scheme, message, signature)) return {};
  return Error(ErrorKind::untrusted, "the signature is not one of key " + fingerprint());
}

std::string PublicKey::fingerprint() const {
  return crypto::sha256(key_.spki()).to_string();
}

std::string PublicKey::to_pem() const {
  return crypto::encode_pem("PUBLIC KEY", key_.spki());
}

namespace {

/// What the file of a private key holds.
struct KeyBlock {
  PrivateKeyForm form = PrivateKeyForm::pkcs8;
  crypto::Secret der;                  // of a key without a password
  std::optional<CosignKey> encrypted;  // of one with

  static Result<KeyBlock> parse(std::string_view pem);

  /// Nothing for a key that needs none.
  Result<std::optional<crypto::Secret>> ask(const PasswordSource& password) const {
    if (!encrypted) return std::optional<crypto::Secret>();
    return std::optional(TRY(password()));
  }

  Result<crypto::SigningKey> open(const std::optional<crypto::Secret>& password) const {
    if (!encrypted) return crypto::SigningKey::from_der(form, der);
    return crypto::SigningKey::from_der(form, TRY(encrypted->decrypt(*password)));
  }
};

Result<KeyBlock> KeyBlock::parse(std::string_view pem) {
  auto blocks = TRY(crypto::parse_pem(pem));
  crypto::PemBlock* block = nullptr;
  for (crypto::PemBlock& candidate : blocks) {
    // OpenSSL may put the name of the curve in front of the key; the key says it again.
    if (candidate.label == "EC PARAMETERS") continue;
    if (block) return Error(ErrorKind::malformed, "want one private key, and no more");
    block = &candidate;
  }
  if (!block) return Error(ErrorKind::malformed, "no private key");
  if (block->label == "PRIVATE KEY")
    return KeyBlock{PrivateKeyForm::pkcs8, std::move(block->body), {}};
  if (block->label == "EC PRIVATE KEY")
    return KeyBlock{PrivateKeyForm::sec1, std::move(block->body), {}};
  if (block->label == "RSA PRIVATE KEY")
    return KeyBlock{PrivateKeyForm::pkcs1, std::move(block->body), {}};
  if (block->label == kSigstoreLabel || block->label == kCosignLabel)
    return KeyBlock{PrivateKeyForm::pkcs8,
                    {},
                    TRY(CosignKey::parse(block->body.expose()).context("encrypted key"))};
  if (block->label == "ENCRYPTED PRIVATE KEY")
    return Error(
        ErrorKind::unsupported,
        "a PKCS#8 key with a password: take it off with `openssl pkey`, or make a key with "
        "`intact keygen`");
  if (block->label == "PUBLIC KEY")
    return Error(ErrorKind::invalid_argument,
                 "this is a public key: signing takes the private one");
  return Error(ErrorKind::unsupported, "a PEM block of '" + block->label + "', not a private key");
}

Result<KeyBlock> load_block(const std::string& file) {
  const UniqueFd fd = TRY(open_file(file, O_RDONLY));
  const crypto::Secret text =
      TRY(crypto::Secret::read_from(fd.get(), crypto::kMaxPemSize).context(file));
  return KeyBlock::parse(text.expose_text()).context(file);
}

}  // namespace

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem, const PasswordSource& password) {
  const KeyBlock block = TRY(KeyBlock::parse(pem));
  return PrivateKey(TRY(block.open(TRY(block.ask(password)))));
}

Result<PrivateKey> PrivateKey::load(const std::string& file, const PasswordSource& password) {
  const KeyBlock block = TRY(load_block(file));
  const auto secret = TRY(block.ask(password).context(file));
  return PrivateKey(TRY(block.open(secret).context(file)));
}

Result<std::future<Result<PrivateKey>>> PrivateKey::begin_loading(const std::string& file,
                                                                  const PasswordSource& password) {
  KeyBlock block = TRY(load_block(file));
  auto secret = TRY(block.ask(password).context(file));
  return run_beside(
      [file, block = std::move(block), secret = std::move(secret)]() -> Result<PrivateKey> {
        return PrivateKey(TRY(block.open(secret).context(file)));
      });
}

Result<PrivateKey> PrivateKey::generate() {
  return PrivateKey(TRY(crypto::SigningKey::generate(KeyType::ecdsa_p256)));
}

Result<Bytes> PrivateKey::sign(ByteSpan message) const {
  return key_.sign(schemes_of(key_.verifying_key().type()).front(), message);
}

Result<std::string> PrivateKey::to_encrypted_pem(const crypto::Secret& password) const {
  const crypto::Secret pkcs8 = TRY(key_.to_pkcs8());
  const std::string json = TRY(encrypt_cosign_key(pkcs8, password));
  return crypto::encode_pem(kSigstoreLabel, as_bytes(json));
}

}  // namespace intact::sign
