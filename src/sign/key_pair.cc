#include <cerrno>
#include <csignal>
#include <cstdio>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
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

/// Gives a finished file its name unless that is taken. Some file systems have only one of the two
/// ways (FAT: no hard links; NFS: no such rename).
Result<void> publish(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return Error::from_errno(to, errno);
  if (::link(from.c_str(), to.c_str()) != 0) return Error::from_errno(to, errno);
  ::unlink(from.c_str());
  return {};
}

Result<void> write_new(const std::string& path, std::string_view text, mode_t mode) {
  const UniqueFd fd = TRY(open_file(path, O_WRONLY | O_CREAT | O_EXCL, mode));
  if (::fchmod(fd.get(), mode) != 0) return Error::from_errno(path, errno);
  TRY(write_all(fd.get(), as_bytes(text)).context(path));
  if (::fsync(fd.get()) != 0) return Error::from_errno(path, errno);
  return {};
}

Result<void> refuse_existing(const std::string& path) {
  struct stat st;
  if (::lstat(path.c_str(), &st) != 0) return {};
  return Error(ErrorKind::exists, path + " exists already, and a key is never overwritten");
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

  // Both are written whole in a private directory beside them, then named one right after the
  // other.
  const std::size_t slash = prefix.rfind('/');
  const std::string parent =
      slash == std::string::npos ? "." : prefix.substr(0, slash == 0 ? 1 : slash);
  const TempDir staging = TRY(TempDir::create(parent, ".intact-keygen-").context(key_path));
  const std::string key_pem = TRY(key.to_encrypted_pem(password));
  TRY(write_new(staging.path("key"), key_pem, 0600));
  TRY(write_new(staging.path("pub"), key.public_key().to_pem(), 0644));

  const SignalsHeld held;
  TRY(publish(staging.path("key"), key_path));
  if (auto published = publish(staging.path("pub"), pub_path); !published) {
    ::unlink(key_path.c_str());
    return published;
  }
  const UniqueFd dir = TRY(open_file(parent, O_RDONLY | O_DIRECTORY));
  if (::fsync(dir.get()) != 0) return Error::from_errno("fsync of " + parent, errno);
  return {};
}

}  // namespace intact::sign
