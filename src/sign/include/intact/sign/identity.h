#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::sign {

/// An image's name as it is signed: HOST/REPO[:TAG][@DIGEST]. Compared as text: nothing is added
/// to a name (no docker.io, no :latest), and case counts.
struct Identity {
  std::string repository;  ///< HOST/REPO
  std::string tag;         ///< empty: none
  std::optional<Digest> digest;
};

inline constexpr std::size_t kMaxIdentitySize = 1024;  // characters

/// invalid_argument unless it is made of letters, digits and ._-:/@ in the order above.
Result<Identity> parse_identity(std::string_view text);

/// A pattern of identities, HOST/REPO[:TAG]:
///   *    within a component stands for any characters but / : @ (none, too)
///   **   as a whole component behind the host stands for one or more components
/// A pattern without a tag takes every tag and none; one with a tag wants a signed tag that fits.
/// So `registry.example/team/*` does not take `registry.example.evil/team/app`, nor
/// `registry.example/team/sub/app`.
Result<void> check_identity_pattern(std::string_view pattern);
/// False also for a malformed pattern or identity.
bool matches_pattern(std::string_view pattern, std::string_view identity);

/// Whether an image signed as `identity` may go by the name `name`. A name with a slash claims to
/// be that image:
///   HOST/REPO[:TAG]  (HOST has a dot, a colon, or is localhost) must be the signed repository;
///   REPO[:TAG]       must be the end of it, in whole components;
/// and a tag that was signed must be the name's tag. A signature over a repository only (cosign
/// signs so) is good for every tag in it. A DIGEST in either must be `manifest`. A name without
/// a slash is a local alias, which claims nothing; an empty identity denies nothing.
bool identity_allows_name(std::string_view identity, std::string_view name, const Digest& manifest);

}  // namespace intact::sign
