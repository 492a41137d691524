#include <cerrno>
#include <chrono>

#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/base/trusted_file.h>
#include <intact/crypto/hash.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/secret.h>
#include <intact/sign/local_seal.h>

namespace intact::sign {
namespace {

constexpr char kDirectory[] = "local-seal";
constexpr char kKeyFile[] = "key.pem";
constexpr char kPublicFile[] = "local-seal.pub";
constexpr std::chrono::seconds kLockPatience(10);
constexpr auto kScheme = crypto::SignatureScheme::ecdsa_sha256;

Result<crypto::Secret> only_block(std::string_view pem, std::string_view label) {
  auto blocks = TRY(crypto::parse_pem(pem));
  if (blocks.size() != 1 || blocks.front().label != label)
    return Error(ErrorKind::malformed,
                 "not a PEM text with exactly one block '" + std::string(label) + "'");
  return std::move(blocks.front().body);
}

Result<void> check_type(const crypto::VerifyingKey& key) {
  if (key.type() == crypto::KeyType::ecdsa_p256) return {};
  return Error(ErrorKind::malformed, "not an ECDSA P-256 key");
}

/// A secret of this user alone: nobody else may own it, read it or change it.
Result<void> check_private(int fd, const std::string& path) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno(path, errno);
  if (st.st_uid != ::geteuid())
    return Error(ErrorKind::untrusted, path + ": does not belong to this user");
  if ((st.st_mode & 077) != 0)
    return Error(ErrorKind::untrusted,
                 path +
                     ": other users have access to it; the key may be known to them, so remove "
                     "it and pull again what it sealed");
  return {};
}

Result<UniqueFd> open_directory(int state, const std::string& path) {
  if (::mkdirat(state, kDirectory, 0700) != 0 && errno != EEXIST)
    return Error::from_errno(path, errno);
  UniqueFd fd = TRY(open_at(state, kDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).context(path));
  TRY(check_private(fd.get(), path));
  return fd;
}

Result<crypto::SigningKey> load(int directory, const std::string& path) {
  const UniqueFd fd = TRY(open_regular_at(directory, kKeyFile));
  TRY(check_private(fd.get(), path));
  const crypto::Secret text = TRY(crypto::Secret::read_from(fd.get(), crypto::kMaxPemSize));
  const crypto::Secret der = TRY(only_block(text.expose_text(), kMachineKeyLabel).context(path));
  auto key = TRY(crypto::SigningKey::from_der(crypto::PrivateKeyForm::pkcs8, der).context(path));
  TRY(check_type(key.verifying_key()).context(path));
  return key;
}

Result<crypto::SigningKey> create(int directory, const std::string& path) {
  auto key = TRY(crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256));
  const crypto::Secret der = TRY(key.to_pkcs8());
  std::string pem = crypto::encode_pem(kMachineKeyLabel, der.expose());
  const auto written = write_file_durably_at(directory, kKeyFile, as_bytes(pem), 0600);
  crypto::wipe(std::as_writable_bytes(std::span(pem)));
  TRY(Result<void>(written).context(path));
  return key;
}

}  // namespace

Result<MachinePublicKey> MachinePublicKey::from_pem(std::string_view pem) {
  const crypto::Secret der = TRY(only_block(pem, kMachinePublicLabel));
  auto key = TRY(crypto::VerifyingKey::from_spki(der.expose()));
  TRY(check_type(key));
  return MachinePublicKey(std::move(key));
}

std::string MachinePublicKey::to_pem() const {
  return crypto::encode_pem(kMachinePublicLabel, key_.spki());
}

bool MachinePublicKey::verify(ByteSpan message, ByteSpan signature) const {
  return key_.verify(kScheme, message, signature);
}

std::string MachinePublicKey::fingerprint() const {
  return crypto::sha256(key_.spki()).to_string();
}

Result<MachineKey> MachineKey::load_or_create(const std::string& state_directory) {
  TRY(make_directories(state_directory));
  const UniqueFd state = TRY(open_trusted_directory(state_directory).context("local seal key"));
  const std::string where = state_directory + "/" + kDirectory;
  const LockFile lock = TRY(LockFile::take(where + ".lock", kLockPatience));
  const UniqueFd directory = TRY(open_directory(state.get(), where));
  const std::string path = where + "/" + kKeyFile;
  auto loaded = load(directory.get(), path);
  if (!loaded && loaded.error().kind() == ErrorKind::not_found)
    loaded = create(directory.get(), path);
  MachineKey key(TRY(std::move(loaded)));

  // Written again if it is missing or another one: this directory is as trusted as the key is.
  const std::string pem = key.public_key().to_pem();
  const auto present = open_regular_at(state.get(), kPublicFile);
  const auto text = present ? read_fd(present->get(), crypto::kMaxPemSize) : Result<Bytes>(Bytes());
  if (!text || as_text(*text) != pem)
    TRY(write_file_durably_at(state.get(), kPublicFile, as_bytes(pem), 0644)
            .context(state_directory + "/" + kPublicFile));
  return key;
}

Result<Bytes> MachineKey::sign(ByteSpan message) const {
  return key_.sign(kScheme, message);
}

Result<std::vector<MachinePublicKey>> load_machine_keys(
    const std::vector<std::string>& state_directories) {
  std::vector<MachinePublicKey> keys;
  for (const std::string& directory : state_directories) {
    const std::string path = directory + "/" + kPublicFile;
    const auto fd = open_trusted_file(path, TrustedOwner::root_or_self);
    if (!fd && fd.error().kind() == ErrorKind::not_found) continue;
    if (!fd) return Error(fd.error()).with_context("local seal key");
    const Bytes text = TRY(read_fd(fd->get(), crypto::kMaxPemSize).context(path));
    keys.push_back(TRY(MachinePublicKey::from_pem(as_text(text)).context(path)));
  }
  return keys;
}

}  // namespace intact::sign
