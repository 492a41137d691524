#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>

namespace intact::run {

/// The user and groups of the container's process, in the ids of the container.
struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< supplementary, sorted, without gid
  std::string home = "/";
};

/// Looks up the `User` of an image config or of `--user` in the text of /etc/passwd and /etc/group
/// (both may be empty). `spec` is "[NAME|UID][:[GROUP|GID]]"; an empty user is 0, an empty group
/// means the user's own groups.
///
/// Digits are a number, never a name: an image whose /etc/passwd names a root account "1000" must
/// not make `--user 1000` run as root. A number without an entry is taken as it is, with group 0.
/// An explicit group means no supplementary groups. Lines are parsed as glibc does: fields after
/// the ids may be missing, and lines that glibc would skip are skipped.
///
/// Errors: not_found (unknown name), invalid_argument (two colons, NUL, number over 2^31 - 1),
/// limit (over 1024 groups).
Result<User> find_user(std::string_view spec, std::string_view passwd, std::string_view group);

}  // namespace intact::run
