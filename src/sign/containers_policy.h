#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/key.h>

namespace intact::sign {

/// The policy of containers/image (policy.json of podman, skopeo and CRI-O), which says for names
/// of images what has to be true of them. See containers-policy.json(5). Of it are read: the
/// default, scopes of transports, and the requirements reject, insecureAcceptAnything and
/// sigstoreSigned with keys. Everything else (GPG, Fulcio, Rekor) is refused by name where it would
/// have to be judged: a requirement is never passed over. Immutable; safe to share among threads.
class ContainersPolicy {
 public:
  /// Which names a signature may have.
  struct SignedIdentity {
    enum class Kind {
      match_exact,
      match_repo_digest_or_exact,
      match_repository,
      exact_reference,
      exact_repository,
      remap_identity
    };
    Kind kind = Kind::match_repo_digest_or_exact;
    std::string value{};          ///< of exactReference and exactRepository; the prefix to remap
    std::string signed_prefix{};  ///< of remapIdentity

    /// `image`: HOST/REPO[:TAG]; without a tag it was asked for by its digest. Empty: it is not in
    /// a registry, and only the two exact kinds can match.
    bool matches(std::string_view image, std::string_view identity) const;
  };

  struct Requirement {
    enum class Type { accept_anything, reject, sigstore_signed, unsupported };
    Type type = Type::reject;
    std::string unsupported{};             ///< what the requirement needs that is not supported
    std::vector<std::string> key_files{};  ///< of sigstoreSigned
    std::vector<std::string> keys{};       ///< PEM; the same from keyData
    SignedIdentity identity{};
  };

  /// What decides about one image.
  struct Decision {
    std::string scope;  ///< for people: "docker 'registry.example/team'", or "default"
    std::vector<Requirement> requirements;  ///< at least one; all have to hold
  };

  static constexpr std::size_t kMaxSize = 4 * 1024 * 1024;  // bytes

  /// untrusted if anyone except root and the user could have changed it, or if it is missing.
  static Result<ContainersPolicy> load(const std::string& file);
  /// malformed: not such a policy, with an unknown member or without a default; unsupported: a
  /// requirement of an unknown type.
  static Result<ContainersPolicy> parse(ByteSpan text);

  /// `image`: as in SignedIdentity::matches(); `manifest`: a scope may name an image by it.
  /// unsupported for an image that is not in a registry if there
  /// are scopes of layouts or archives, which may be meant for it.
  Result<Decision> decide(const std::string& image, const Digest& manifest) const;
  /// Whether the scope of exactly this digest in the image's repository is there and rejects.
  bool rejects(const std::string& image, const Digest& digest) const;

 private:
  using Scopes = std::map<std::string, std::vector<Requirement>, std::less<>>;
  std::vector<Requirement> default_;
  std::map<std::string, Scopes, std::less<>> transports_;
};

/// The keys that a requirement names, with their files read.
Result<std::vector<PublicKey>> load_keys(const ContainersPolicy::Requirement& requirement);

}  // namespace intact::sign
