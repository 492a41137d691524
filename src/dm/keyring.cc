#include "keyring.h"

#include <cerrno>

#include <fmt/format.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <intact/dm/line.h>

namespace intact::dm {

Result<crypto::Secret> read_user_key(const std::string& description, std::size_t limit) {
  const std::string name = fmt::format("key {} of type user", quoted(description));
  // Without information for a helper none is started, and no key is made.
  const long id = ::syscall(SYS_request_key, "user", description.c_str(), nullptr, 0);
  if (id < 0 && errno == ENOKEY)
    return Error(ErrorKind::not_found,
                 name + ": not in the keyrings of this session; add it with `keyctl padd user`");
  if (id < 0) return Error::from_errno(name, errno);
  crypto::Secret whole(limit);
  const long size = ::syscall(SYS_keyctl, KEYCTL_READ, id, whole.expose().data(), whole.size());
  if (size < 0) return Error::from_errno(name, errno);
  // The kernel says how large it is, and copies what fits.
  if (static_cast<unsigned long>(size) > limit)
    return Error(ErrorKind::limit, fmt::format("{}: has more than {} bytes", name, limit));
  return crypto::Secret::copy_of(whole.expose().first(static_cast<std::size_t>(size)));
}

}  // namespace intact::dm
