#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/basis.h>
#include <intact/sign/policy.h>
#include <intact/sign/signature_image.h>

namespace intact::sign {

/// One piece of evidence that somebody vouches for a manifest, as it was found: nothing in it has
/// been checked. What is known of an image is a set of these, of any kinds. One that is good and by
/// a trusted key is enough; all others are passed over.
struct Evidence {
  Bytes payload;                     ///< what was signed, or the document that contains it
  std::string signature_base64;      ///< over it, in standard base64; only of kSimpleSigning
  std::string kind{kSimpleSigning};  ///< of an unknown kind: only listed, never accepted
  std::string what = "signature";    ///< for people: "sigstore bundle sha256:HEX"

  bool can_be_judged() const { return is_known_kind(kind); }
};

/// A piece that cannot be judged by this version; `what` says what it is.
inline Evidence foreign_evidence(std::string what) {
  return {.payload = {}, .signature_base64 = {}, .kind = "foreign", .what = std::move(what)};
}

/// What a piece says about a manifest, for listings: nobody has verified it.
struct UnverifiedClaim {
  std::string identity;     ///< may be empty
  std::string attestation;  ///< its predicate type; empty: a signature
};
/// Nothing if the piece cannot be read or is about another manifest.
std::optional<UnverifiedClaim> read_unverified(const Evidence& evidence, const Digest& manifest);

/// Whether the piece is a signature by `key` that says exactly this, at whatever time.
bool is_signed_by(const Evidence& evidence, const SigningPayload& payload, const PublicKey& key);

/// Why one piece was not accepted.
struct Rejection {
  std::string what;  ///< Evidence::what
  std::string reason;
};

/// Where trust comes from in one command: never from the store.
struct Anchors {
  /// --pub FILE: if there are any of these or of the next ones, only they count, for any identity.
  std::vector<std::string> key_files;
  std::vector<std::string> authority_files = {};  ///< --ca FILE: certificates
  bool insecure_unsigned =
      false;  ///< --insecure-unsigned: accept images that nobody trusted signed
  std::optional<std::string> policy_file;  ///< --policy FILE instead of the default ones
  /// --signature-policy FILE: containers/image's policy.json says which keys count, for which
  /// names.
  std::optional<std::string> signature_policy = {};
  std::string identity = {};  ///< --identity PATTERN that the signed name must match; empty: any
  std::vector<std::string> attestations = {};  ///< --require-attestation TYPE: predicate types
  std::optional<std::int64_t> max_age = {};    ///< --max-age: of the signature, in seconds
  /// HOST/REPO:TAG where a registry has the image: rules and requirements for that name count too,
  /// by whatever name it is kept. Empty: it is not from a registry.
  std::string place = {};
  /// What led to the manifest: the digests of the index that was named and of those within it. One
  /// that is revoked revokes the manifest.
  std::vector<Digest> through = {};
  /// Judge every piece, so that the verdict has the highest serial number.
  bool judge_all = false;
  // What is to be enough where there is no trusted signature. Neither is, where one is asked for:
  // by the other members, or by a requirement of the policy for this name.
  std::optional<Digest> pin = {};  ///< only this manifest, signed or not
  bool first_use = false;  ///< any manifest, unless a rule of the policy is for images of this name

  bool require_signature() const {
    return !key_files.empty() || !authority_files.empty() || !identity.empty() ||
           !attestations.empty() || max_age;
  }
};

/// Where trust comes from, for people: the key files or the policy files that are read.
std::string describe(const Anchors& anchors);

/// Who vouches for a manifest.
struct Verdict {
  /// Of the key, or of the signer's certificate. Empty: nobody (Anchors::insecure_unsigned).
  std::string key_fingerprint;
  std::string identity;     ///< as signed; may be empty
  std::string key_label{};  ///< what the policy calls the key; may be empty
  /// The pieces of evidence that were tried before the good one.
  std::vector<Rejection> rejected{};
  std::string subject{};               ///< of the certificate, for people; empty for a bare key
  std::optional<std::int64_t> time{};  ///< of signing, as the signer says
  /// As signed; the highest if there are several and all were judged (Anchors::judge_all).
  std::optional<std::uint64_t> serial{};
  /// Everybody whose signature counted, as key_name(); only the first unless more were required.
  std::vector<std::string> signers{};
  /// The predicate types of the attestations that were required and found.
  std::vector<std::string> attestations{};
  std::string rule{};  ///< which rule decided, for people: "2 (Release key), for 'HOST/team/*'"
  Basis unsigned_basis{Basis::none};  ///< why it is accepted without a trusted signature
  bool is_signed() const { return !key_fingerprint.empty(); }
  Basis basis() const { return is_signed() ? Basis::signature : unsigned_basis; }
  /// For people: "Release key (sha256:HEX)", or the fingerprint alone.
  std::string key_name() const;
};

/// Whether some trusted key has signed this manifest under a name that fits. `name` is the image's
/// name in the store or the reference it is pulled from (see identity_allows_name); empty: none.
/// The anchors are read anew at each call. One good piece of evidence is enough; others are passed
/// over. untrusted if there is none: the error tells which pieces were found, and why each was not
/// accepted; an image that has only pieces of unknown kinds is not called unsigned. Also if the
/// policy revokes the manifest or what led to it, whatever the anchors say, if it is not
/// Anchors::pin, and if policy_file is missing. A policy or key file that cannot be read is an
/// error of its own kind. Where the policy requires more of such an image (Requirement), all of
/// that must hold.
Result<Verdict> check_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                            const std::string& name, const Anchors& anchors);

/// untrusted if the policy revokes one of these, which `manifest` leads to: config, layers, image.
Result<void> check_not_revoked(const std::vector<Digest>& parts, const Digest& manifest,
                               const Anchors& anchors);

/// How a verdict came about.
struct Explanation {
  std::vector<std::string> rules{};         ///< that count, numbered from 1
  std::vector<std::string> requirements{};  ///< of the policy, for images of this name
  std::vector<Rejection> accepted{};        ///< pieces, and by which rule each is accepted
  std::vector<Rejection> rejected{};        ///< pieces, and why each is not
  std::optional<Verdict> verdict{};
  std::string refusal{};  ///< why there is none
};
/// The same as check_trust() with everything told, for people. untrusted is not an error here.
Result<Explanation> explain_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                                  const std::string& name, const Anchors& anchors);

/// What one command asks for, with its files read.
struct Demands {
  std::vector<Rule> rules{};  ///< unless empty, in place of those of the policy
  std::string identity{};     ///< Anchors::identity
  /// Further restricts the signed names that count; empty: it does not.
  std::function<bool(const std::string& identity)> fits{};
  std::string place{};            ///< Anchors::place
  std::vector<Digest> through{};  ///< Anchors::through
  std::vector<std::string> attestations{};
  std::optional<std::int64_t> max_age{};
  std::optional<std::int64_t> now{};  ///< seconds since 1970; nothing: the clock's
  bool judge_all = false;             ///< Anchors::judge_all
};

/// The rules of --pub: each key for any identity, under the label that the policy has for it.
std::vector<Rule> rules_for(const std::vector<PublicKey>& keys, const Policy& policy);

/// The same with the anchors already read. `explanation`, if there is one, is filled in.
Result<Verdict> evaluate_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                               const std::string& name, const Policy& policy,
                               const Demands& demands = {}, Explanation* explanation = nullptr);

}  // namespace intact::sign
