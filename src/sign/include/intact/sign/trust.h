#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/policy.h>
#include <intact/sign/signature_image.h>

namespace intact::sign {

/// Where trust comes from in one command: never from the store.
struct Anchors {
  std::vector<std::string> key_files;  ///< --pub FILE: if any, only these keys, for any identity
  bool insecure_unsigned =
      false;  ///< --insecure-unsigned: accept images that nobody trusted signed
  std::optional<std::string> policy_file;  ///< --policy FILE instead of the default ones
  std::string identity = {};  ///< --identity PATTERN that the signed name must match; empty: any
};

/// Who vouches for a manifest.
struct Verdict {
  std::string key_fingerprint;  ///< empty: nobody (Anchors::insecure_unsigned)
  std::string identity;         ///< as signed; may be empty
  std::string key_label{};      ///< what the policy calls the key; may be empty
  bool is_signed() const { return !key_fingerprint.empty(); }
  /// For people: "Release key (sha256:HEX)", or the fingerprint alone.
  std::string key_name() const {
    return key_label.empty() ? key_fingerprint : key_label + " (" + key_fingerprint + ")";
  }
};

/// Whether some trusted key has signed this manifest under a name that fits. `name` is the image's
/// name in the store or the reference it is pulled from (see identity_allows_name); empty: none.
/// `others` says, for people, which signatures were found that cannot be evaluated, so that an
/// image that has only those is not called unsigned; empty: none.
/// The anchors are read anew at each call. One good signature is enough; bad ones are skipped.
/// untrusted, with the reason, if there is none; also if the policy revokes the manifest, whatever
/// the anchors say, and if policy_file is missing. A policy or key file that cannot be read is an
/// error of its own kind.
Result<Verdict> check_trust(const std::vector<StoredSignature>& signatures, const Digest& manifest,
                            const std::string& name, const Anchors& anchors,
                            const std::string& others = {});

/// The same with the anchors already read: `keys` replaces the rules of `policy` unless it is
/// empty, and `identity` is Anchors::identity.
Result<Verdict> evaluate_trust(const std::vector<StoredSignature>& signatures,
                               const Digest& manifest, const std::string& name,
                               const Policy& policy, const std::vector<PublicKey>& keys = {},
                               const std::string& others = {}, const std::string& identity = {});

}  // namespace intact::sign
