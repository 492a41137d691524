#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/key.h>

namespace intact::sign {

/// One trusted key and what it is trusted for.
struct Rule {
  PublicKey key;
  std::string identity_pattern;  ///< see identity.h; empty: any identity, and none
  std::vector<Digest> pins;      ///< if any: only these manifests
};

/// Whom the user trusts: the content of a policy file, or of several one behind the other. A plain
/// value; not thread-safe while it is changed. In the file (JSON, at most 4 MiB):
///   {"version": 1,
///    "rules": [{"key": PEM, "fingerprint": "sha256:HEX", "identity": PATTERN, "pins":
///    [DIGEST...]}], "revoked": [DIGEST...]}
/// Members of a newer version may narrow what is trusted, so unknown ones are refused.
class Policy {
 public:
  static constexpr std::size_t kMaxRules = 256;

  Policy() = default;
  /// not_found if the file is missing; untrusted if anybody may write to it.
  static Result<Policy> load(const std::string& file);
  /// All default_policy_files() that exist, as one.
  static Result<Policy> load_default();
  static Result<Policy> parse(ByteSpan text);
  std::string to_text() const;

  const std::vector<Rule>& rules() const { return rules_; }
  const std::vector<Digest>& revoked() const { return revoked_; }
  bool is_revoked(const Digest& manifest) const;

  /// A rule of the same key and pattern gets the pins in addition; exists if one of the two has
  /// pins and the other has none. invalid_argument for a bad pattern; limit beyond kMaxRules.
  Result<void> add(Rule rule);
  /// Removes all rules of the one key whose fingerprint starts so ("sha256:" may be left out);
  /// returns its fingerprint. not_found; invalid_argument when several keys do.
  Result<std::string> remove(std::string_view fingerprint_prefix);
  void revoke(const Digest& manifest);
  Result<void> unrevoke(const Digest& manifest);  ///< not_found if it was not revoked

  /// Behind the own rules; both revocation lists hold.
  void append(Policy other);

 private:
  std::vector<Rule> rules_;
  std::vector<Digest> revoked_;
};

/// /etc/intact/policy.json, then $XDG_CONFIG_HOME/intact/policy.json (or ~/.config/...).
std::vector<std::string> default_policy_files();
/// The one that `intact trust add` changes: the first for root, the user's for all others.
Result<std::string> default_policy_file_to_edit();

/// Changes a policy file under a lock, durably; a missing one is made (mode 0644) with its
/// directories. Nothing is written when `change` fails. busy after ten seconds without the lock.
Result<void> edit_policy(const std::string& file,
                         const std::function<Result<void>(Policy&)>& change);

}  // namespace intact::sign
