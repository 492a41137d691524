#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>

namespace intact::run {

/// Who the container's process is, in the ids of the container.
struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< supplementary, sorted, without gid
  std::string home = "/";
};

/// Looks up the `User` of an image config or of `--user`: "", "NAME|UID" or "NAME|UID:GROUP|GID",
/// in the text of /etc/passwd and /etc/group (both may be empty). As every container engine does:
/// a name goes before a number, an unknown number is taken as it is, an explicit group means no
/// supplementary groups. Lines that do not parse are passed over: they cannot name anybody.
/// Errors: not_found (unknown name), invalid_argument (empty part, number over 2^31 - 1), limit.
Result<User> find_user(std::string_view spec, std::string_view passwd, std::string_view group);

}  // namespace intact::run
