#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::sign {

/// An image's name as it is signed: HOST/REPO[:TAG][@DIGEST]. Compared as text, and case counts,
/// except that Docker Hub's spellings are one name (see canonical_repository). No tag is added.
struct Identity {
  std::string repository;  ///< HOST/REPO, as written
  std::string tag;         ///< empty: none
  std::optional<Digest> digest;
};

inline constexpr std::size_t kMaxIdentitySize = 1024;  // characters

/// invalid_argument unless it consists of letters, digits and ._-:/@ in the order above.
Result<Identity> parse_identity(std::string_view text);

/// The one spelling of a repository that all tools agree on. A name without a host is Docker Hub's,
/// `index.docker.io` is `docker.io`, and a Docker Hub name of one component is in `library/`:
///   alpine, docker.io/alpine, index.docker.io/library/alpine  ->  docker.io/library/alpine
///   team/app                                                  ->  docker.io/team/app
/// As everywhere in the container world, the first component is a host if it has a dot, a colon or
/// a capital letter, or is `localhost`. Takes patterns too: a first component with `*` is a host.
std::string canonical_repository(std::string_view repository);

/// A pattern of identities, HOST/REPO[:TAG]:
///   *    within a component matches any characters except / : @ (or none)
///   **   as a whole component after the host matches one or more components
/// A pattern without a tag matches any tag and none; one with a tag matches only a signed tag.
/// So `registry.example/team/*` does not match `registry.example.evil/team/app`, nor
/// `registry.example/team/sub/app`. invalid_argument for an empty or malformed pattern.
Result<void> check_identity_pattern(std::string_view pattern);
/// False also for a malformed pattern or identity.
bool matches_pattern(std::string_view pattern, std::string_view identity);

/// What a valid pattern matches and what it leaves out, for people: "registry.example/team/NAME
/// with any tag".
std::string describe_pattern(std::string_view pattern);
/// Whether a valid pattern matches images of every registry and restricts nothing: "*/**" and the
/// like.
bool matches_any_registry(std::string_view pattern);
/// Why a valid pattern probably does not mean what its author thinks, and what to write instead;
/// empty if nothing is suspicious. For example `*` and `HOST/team*`.
std::string suspicion_about_pattern(std::string_view pattern);

/// Whether an image signed as `identity` may go by the name `name`. A name with a slash claims to
/// be that image:
///   HOST/REPO[:TAG]  must be the signed repository;
///   REPO[:TAG]       must be the signed repository on Docker Hub, or the end of a signed one in
///                    whole components;
/// and a tag that was signed must be the name's tag. A signature over a repository only (cosign
/// signs so) is good for every tag in it. A DIGEST in either must be `manifest`. A name without
/// a slash is a local name, which claims nothing; an empty identity excludes nothing.
bool identity_allows_name(std::string_view identity, std::string_view name, const Digest& manifest);

}  // namespace intact::sign
