#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/sign/certificates.h>
#include <intact/sign/key.h>

namespace intact::sign {

/// One trusted key, or authority of certificates, and what it is trusted for.
struct Rule {
  std::optional<PublicKey> key{};               ///< either this,
  std::optional<std::string> identity_pattern;  ///< see identity.h; nothing: any identity, and none
  std::vector<Digest> pins;                     ///< if not empty: only these manifests
  std::string label{};                          ///< what its user calls the key; may be empty
  std::optional<CertificateTrust> certificates{};  ///< or this

  std::string fingerprint() const;  ///< of the key, or of the first authority's certificate
  std::string kind() const;         ///< for people: "ECDSA P-256", or "certificates"
};

/// What an image needs besides one trusted signature. Several may apply to one image, and then all
/// of them hold.
struct Requirement {
  /// Of the names that it is for: images signed under one, or used under one. Nothing: all images.
  std::optional<std::string> identity_pattern{};
  std::size_t signers = 1;                  ///< different keys or certified subjects
  std::vector<std::string> attestations{};  ///< predicate types of attestations by trusted signers
  std::optional<std::int64_t> max_age{};    ///< of a signature, in seconds
  std::optional<std::uint64_t> min_serial{};
  std::optional<std::int64_t> not_before{};  ///< of the time of signing, seconds since 1970

  bool operator==(const Requirement&) const = default;
};

/// For people: "of 'HOST/prod/**': 2 signers, attestation TYPE".
std::string describe(const Requirement& requirement);
/// As it is in the file.
Json to_json(const Requirement& requirement);

/// invalid_argument unless it makes sense and its pattern is well formed.
Result<void> check_requirement(const Requirement& requirement);

/// "90d", "12h", "30m" or "45s". invalid_argument for anything else and for nothing at all.
Result<std::int64_t> parse_age(std::string_view text);

/// The predicate type for one of cosign's short names ("slsaprovenance1", "spdxjson",
/// "cyclonedx", ...); any other text is one itself.
std::string attestation_type(std::string_view name);

inline constexpr std::size_t kMaxLabelSize = 64;  // bytes

/// invalid_argument unless `label` is 1 to kMaxLabelSize bytes of visible text without spaces at
/// its ends.
Result<void> check_label(std::string_view label);

/// Which rules of a key Policy::remove() takes.
struct RuleSelection {
  enum class Which { all, any_identity, pattern };
  Which which = Which::all;
  std::string pattern;  ///< only with Which::pattern
};

/// Whom the user trusts: the content of a policy file, or of several files joined. A plain value;
/// not thread-safe while it is changed. In the file (JSON, at most 4 MiB):
///   {"version": 1,
///    "rules": [{"key": PEM, "fingerprint": "sha256:HEX", "label": TEXT, "identity": PATTERN,
///               "pins": [DIGEST...]}],
///    "requirements": [{"identity": PATTERN, "signers": N, "attestations": [TYPE...],
///                      "max_age": "90d", "min_serial": N, "not_before": "2026-01-31T00:00:00Z"}],
///    "revoked": [DIGEST...]}
/// A rule may have "certificates" (PEM) and "subject" ("C=US, O=Example") instead of "key"; its
/// fingerprint is that of the first certificate. All members of requirements may be absent.
/// "label", "identity", "pins", "rules", "requirements" and "revoked" may be absent. A rule without
/// "identity" is for any image, one without "pins" for any manifest. Nothing else means "any": an
/// empty pattern, an empty list of pins, a null and an unknown member are refused, since reading
/// them as absent would widen what is trusted.
class Policy {
 public:
  static constexpr std::size_t kMaxRules = 256;

  Policy() = default;
  /// not_found if the file is missing; untrusted if anyone except root and the user could have
  /// changed it (see open_trusted_file).
  static Result<Policy> load(const std::string& file);
  /// All default_policy_files() that exist, as one. invalid_argument for users other than root
  /// whose environment does not say where their policy is: it may revoke an image.
  static Result<Policy> load_default();
  /// malformed, or unsupported for a newer version and unknown members.
  static Result<Policy> parse(ByteSpan text);
  std::string to_text() const;

  const std::vector<Rule>& rules() const { return rules_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  const std::vector<Digest>& revoked() const { return revoked_; }
  bool is_revoked(const Digest& manifest) const;
  /// The first label of a key; empty: none.
  std::string label_of(std::string_view fingerprint) const;

  /// If a rule of the same key and pattern exists, it gets the additional pins and, if there is
  /// one, the new label. exists if one of the two has pins and the other has none.
  /// invalid_argument for a bad pattern or label; limit beyond kMaxRules.
  Result<void> add(Rule rule);
  /// Removes rules of the one key that has this label, or whose fingerprint starts with this text
  /// ("sha256:" may be left out); returns its fingerprint. not_found, also when the key has no such
  /// rule; invalid_argument when the text fits several keys.
  Result<std::string> remove(std::string_view key, const RuleSelection& selection = {});
  /// Adds a requirement, in place of one for the same names. Errors of check_requirement(); limit.
  Result<void> require(Requirement requirement);
  /// Removes the requirement for these names; not_found if there is none.
  Result<void> drop_requirement(const std::optional<std::string>& identity_pattern);
  void revoke(const Digest& manifest);
  Result<void> unrevoke(const Digest& manifest);  ///< not_found if it was not revoked

  /// Adds the rules of another policy after its own; both revocation lists and the requirements of
  /// both hold.
  void append(Policy other);

 private:
  std::vector<Rule> rules_;
  std::vector<Requirement> requirements_;
  std::vector<Digest> revoked_;
};

/// /etc/intact/policy.json, then $XDG_CONFIG_HOME/intact/policy.json (or ~/.config/...).
std::vector<std::string> default_policy_files();
/// The one that `intact trust add` changes: the first for root, the user's own for everyone else.
Result<std::string> default_policy_file_to_edit();

/// A policy with the file that it is in, since a rule is removed from the file that has it.
struct PolicyFile {
  std::string file;
  Policy policy;
};
/// `file` alone (not_found if it is missing), or else those of default_policy_files() that exist.
Result<std::vector<PolicyFile>> load_policies(const std::optional<std::string>& file);
/// `file`, or else default_policy_file_to_edit(). invalid_argument for an empty name, which is a
/// mistake and not a wish for the default.
Result<std::string> choose_policy_file(const std::optional<std::string>& file);

/// Checks the rule of a user who adds a key: invalid_argument for an empty or malformed pattern and
/// for one that images of every registry match. The messages name options of `trust add`.
Result<void> check_new_rule(const Rule& rule);

/// Changes a policy file under a lock, durably. A missing file is created (mode 0644) with its
/// directories. Nothing is written when `change` fails. busy after ten seconds without the lock;
/// untrusted if others could change the file or its directory.
Result<void> edit_policy(const std::string& file,
                         const std::function<Result<void>(Policy&)>& change);

}  // namespace intact::sign
