#include <optional>
#include <span>
#include <utility>

#include <intact/base/file.h>
#include <intact/base/thread.h>
#include <intact/crypto/hash.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/signature_key.h>
#include <intact/sign/key.h>

#include "cosign_key.h"
#include "key_file.h"

namespace intact::sign {
namespace {

using crypto::KeyType;
using crypto::PrivateKeyForm;
using crypto::SignatureScheme;

/// In messages.
std::string name_of(const std::string& file) {
  return file == "-" ? "standard input" : file;
}

/// The schemes of a key's signatures, ours first: no algorithm is stored with a signature, it
/// follows from the key. Released cosigns hash with SHA-256 for every curve; the specification
/// demands the curve's own hash. With Ed25519, cosign signs the payload itself before version 3 and
/// its hash since.
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
  if (blocks.size() != 1)
    return Error(ErrorKind::malformed, "contains several PEM blocks; pass one public key");
  const crypto::PemBlock& block = blocks.front();
  if (block.label.ends_with("PRIVATE KEY"))
    return Error(ErrorKind::invalid_argument,
                 "a private key; pass the public one (.pub) and keep this one secret");
  if (block.label == "PUBLIC KEY")
    return PublicKey(TRY(crypto::VerifyingKey::from_spki(block.body.expose())));
  if (block.label == "RSA PUBLIC KEY")
    return PublicKey(TRY(crypto::VerifyingKey::from_pkcs1(block.body.expose())));
  return Error(ErrorKind::unsupported,
               "a PEM block '" + block.label + "', not a public key ('PUBLIC KEY')");
}

Result<PublicKey> PublicKey::load(const std::string& file) {
  return from_pem(TRY(read_public_key_text(file))).context(name_of(file));
}

Result<void> PublicKey::verify(ByteSpan message, ByteSpan signature) const {
  for (const SignatureScheme scheme : schemes_of(type()))
    if (key_.verify(scheme, message, signature)) return {};
  return Error(ErrorKind::untrusted, "not a signature of key " + fingerprint());
}

std::string PublicKey::fingerprint() const {
  return crypto::sha256(key_.spki()).to_string();
}

std::string PublicKey::to_pem() const {
  return crypto::encode_pem("PUBLIC KEY", key_.spki());
}

namespace {

/// The content of a private key file.
struct KeyBlock {
  PrivateKeyForm form = PrivateKeyForm::pkcs8;
  crypto::Secret der;                                       // of a key without a password
  std::optional<CosignKey> encrypted;                       // of one with
  std::optional<crypto::EncryptedPkcs8> openssl_encrypted;  // or one that OpenSSL encrypted

  static Result<KeyBlock> parse(std::string_view pem);

  /// Nothing for a key that needs none.
  Result<std::optional<crypto::Secret>> ask(const PasswordSource& password) const {
    if (!encrypted && !openssl_encrypted) return std::optional<crypto::Secret>();
    return std::optional(TRY(password()));
  }

  Result<crypto::SigningKey> open(const std::optional<crypto::Secret>& password) const {
    if (openssl_encrypted) return openssl_encrypted->open(*password);
    if (!encrypted) return crypto::SigningKey::from_der(form, der);
    return crypto::SigningKey::from_der(form, TRY(encrypted->decrypt(*password)));
  }
};

Result<KeyBlock> KeyBlock::parse(std::string_view pem) {
  auto blocks = TRY(crypto::parse_pem(pem));
  crypto::PemBlock* block = nullptr;
  for (crypto::PemBlock& candidate : blocks) {
    // OpenSSL may put the name of the curve before the key, which repeats it.
    if (candidate.label == "EC PARAMETERS") continue;
    if (block)
      return Error(ErrorKind::malformed, "contains several PEM blocks; pass one private key");
    block = &candidate;
  }
  if (!block) return Error(ErrorKind::malformed, "does not contain a private key");
  if (block->label == "PRIVATE KEY")
    return KeyBlock{PrivateKeyForm::pkcs8, std::move(block->body), {}, {}};
  if (block->label == "EC PRIVATE KEY")
    return KeyBlock{PrivateKeyForm::sec1, std::move(block->body), {}, {}};
  if (block->label == "RSA PRIVATE KEY")
    return KeyBlock{PrivateKeyForm::pkcs1, std::move(block->body), {}, {}};
  if (block->label == kSigstoreLabel || block->label == kCosignLabel)
    return KeyBlock{PrivateKeyForm::pkcs8,
                    {},
                    TRY(CosignKey::parse(block->body.expose()).context("encrypted key")),
                    {}};
  if (block->label == "ENCRYPTED PRIVATE KEY")
    return KeyBlock{
        PrivateKeyForm::pkcs8, {}, {}, TRY(crypto::EncryptedPkcs8::parse(block->body.expose()))};
  if (block->label.ends_with("PUBLIC KEY"))
    return Error(ErrorKind::invalid_argument, "a public key; pass the private one to sign with");
  return Error(ErrorKind::unsupported, "a PEM block '" + block->label + "', not a private key");
}

Result<KeyBlock> load_block(const std::string& file) {
  UniqueFd opened;
  if (file != "-") opened = TRY(open_file(file, O_RDONLY));
  const int fd = opened ? opened.get() : TRY(claim_standard_input("the private key"));
  const crypto::Secret text =
      TRY(crypto::Secret::read_from(fd, crypto::kMaxPemSize).context(name_of(file)));
  return KeyBlock::parse(text.expose_text()).context(name_of(file));
}

}  // namespace

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem, const PasswordSource& password) {
  const KeyBlock block = TRY(KeyBlock::parse(pem));
  return PrivateKey(TRY(block.open(TRY(block.ask(password)))));
}

Result<PrivateKey> PrivateKey::load(const std::string& file, const PasswordSource& password) {
  const KeyBlock block = TRY(load_block(file));
  const auto secret = TRY(block.ask(password).context(name_of(file)));
  return PrivateKey(TRY(block.open(secret).context(name_of(file))));
}

Result<std::future<Result<PrivateKey>>> PrivateKey::begin_loading(const std::string& file,
                                                                  const PasswordSource& password) {
  KeyBlock block = TRY(load_block(file));
  auto secret = TRY(block.ask(password).context(name_of(file)));
  return run_beside(
      [file, block = std::move(block), secret = std::move(secret)]() -> Result<PrivateKey> {
        return PrivateKey(TRY(block.open(secret).context(name_of(file))));
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
