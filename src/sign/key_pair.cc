#include <cerrno>
#include <csignal>

#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/output_file.h>
#include <intact/sign/key.h>

namespace intact::sign {
namespace {

/// Holds back the signals that end a program, so that two steps happen both or not at all.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&held, signal);
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

Result<OutputFile> write_new(const std::string& path, std::string_view text, mode_t mode) {
  OutputFile file = TRY(OutputFile::create(path, OutputFile::Existing::refuse, mode));
  if (::fchmod(file.fd(), mode) != 0) return Error::from_errno(path, errno);
  TRY(file.write(as_bytes(text)));
  return file;
}

}  // namespace

Result<void> check_key_pair_is_new(const std::string& prefix) {
  TRY(refuse_existing(prefix + ".key"));
  return refuse_existing(prefix + ".pub");
}

Result<void> write_key_pair(const std::string& prefix, const PrivateKey& key,
                            const crypto::Secret& password) {
  const std::string key_path = prefix + ".key";
  const std::string pub_path = prefix + ".pub";
  TRY(check_key_pair_is_new(prefix));

  // Both are written whole without a name, then named one right after the other.
  const std::string key_pem = TRY(key.to_encrypted_pem(password));
  OutputFile key_file = TRY(write_new(key_path, key_pem, 0600));
  OutputFile pub_file = TRY(write_new(pub_path, key.public_key().to_pem(), 0644));

  const SignalsHeld held;
  TRY(key_file.publish());
  if (auto published = pub_file.publish(); !published) {
    ::unlink(key_path.c_str());
    return published;
  }
  return {};
}

}  // namespace intact::sign
