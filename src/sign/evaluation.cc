// Who vouches for a manifest: evidence is judged by the rules of a policy.
#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/sign/identity.h>
#include <intact/sign/signed_time.h>
#include <intact/sign/trust.h>

#include "opened_evidence.h"

namespace intact::sign {
namespace {

/// Never "trust this key": the signature of a stranger is what an attack looks like.
constexpr std::string_view kForeignKeyAdvice =
    "make sure that this is the image you meant (`intact trust list` shows the keys that you "
    "trust)";
/// Clocks differ; a signature from a later time than this is one that a wrong clock made.
constexpr std::int64_t kMaxSkew = 86400;  // seconds

/// Why a signature was rejected, from the least to the most telling: the user hears the last.
enum class Failure {
  none,
  foreign_key,
  bad_payload,
  other_manifest,
  not_pinned,
  wrong_identity,
  too_old
};

struct Outcome {
  Failure failure = Failure::none;
  std::string reason;

  void note(Failure what, std::string why) {
    if (what > failure) *this = {what, std::move(why)};
  }
};

std::string quoted(const std::string& identity) {
  if (identity.empty()) return "no name";
  // Signed, but not always by somebody we know: it must not control a terminal.
  std::string shown = identity.substr(0, 200);
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return "'" + shown + "'";
}

/// Who has signed a piece, as far as one rule can say.
struct Signer {
  std::string fingerprint;  ///< of the key or the certificate
  std::string key;          ///< fingerprint of the key, its own or the one in the certificate
  std::string subject{};    ///< of the certificate
  std::string who() const {
    return subject.empty() ? "key " + fingerprint : "'" + visible(subject) + "'";
  }
  /// What tells signers apart. Two that have one of these in common are one: a key is the same with
  /// and without a certificate, and somebody certified stays the same with a new key.
  std::set<std::string> ids() const {
    std::set<std::string> all{"key " + key};
    if (!subject.empty()) all.insert("subject " + subject);
    return all;
  }
};

/// Counts those that are not one and the same. Of two authorities that have certified one subject
/// it is not asked whether they mean two people: too few are counted rather than too many.
class DifferentSigners {
 public:
  void add(const Signer& signer, const std::string& name) {
    Known merged{signer.ids(), name};
    std::erase_if(known_, [&](const Known& other) {
      if (std::ranges::none_of(other.ids,
                               [&](const std::string& id) { return merged.ids.contains(id); }))
        return false;
      merged.ids.insert(other.ids.begin(), other.ids.end());
      merged.name = other.name;
      return true;
    });
    known_.push_back(std::move(merged));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    all.reserve(known_.size());
    for (const Known& known : known_) all.push_back(known.name);
    return all;
  }

 private:
  struct Known {
    std::set<std::string> ids;
    std::string name;
  };
  std::vector<Known> known_;
};

/// A good signature or attestation by somebody whom a rule trusts for it.
struct Accepted {
  const Rule* rule;
  std::size_t number;  ///< of the rule, from 1
  Signer signer;
  Claim claim;
  std::string what;  ///< Evidence::what
};

class Judge {
 public:
  Judge(const std::vector<Rule>& rules, const Digest& manifest, const std::string& name,
        const Policy& policy, const Demands& demands)
      : rules_(rules), manifest_(manifest), name_(name), policy_(policy), demands_(demands) {
    const auto clock = std::chrono::system_clock::now().time_since_epoch();
    now_ = demands.now.value_or(std::chrono::duration_cast<std::chrono::seconds>(clock).count());
  }

  /// The signature or attestation that the piece is, if a rule accepts it.
  std::optional<Accepted> judge(const Evidence& piece, Outcome& outcome) const {
    const auto opened = open_evidence(piece, manifest_);
    if (!opened) {
      outcome.note(Failure::foreign_key, opened.error().message());
      return std::nullopt;
    }
    const auto chain = opened->certificates.empty()
                           ? Result<crypto::CertificateChain>(Error(ErrorKind::not_found, ""))
                           : crypto::CertificateChain::from_der(opened->certificates);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      auto signer = signer_of(rules_[i], *opened, chain, outcome);
      if (!signer) continue;
      // The signature covers the stored bytes: they are parsed only after it was found good.
      auto claim = opened->claim();
      if (!claim) {
        outcome.note(Failure::bad_payload, fmt::format("{} has signed something else: {}",
                                                       signer->who(), claim.error().message()));
        continue;
      }
      if (is_in_time(rules_[i], *signer, *opened, chain, *claim, outcome) &&
          allows(rules_[i], *signer, *claim, outcome))
        return Accepted{&rules_[i], i + 1, *std::move(signer), *std::move(claim), piece.what};
    }
    return std::nullopt;
  }

  /// The requirements for an image that goes by one of these names.
  std::vector<const Requirement*> requirements_for(const std::set<std::string>& names) const {
    std::vector<const Requirement*> found;
    for (const Requirement& requirement : policy_.requirements())
      if (!requirement.identity_pattern || std::ranges::any_of(names, [&](const std::string& name) {
            return matches_pattern(*requirement.identity_pattern, name);
          }))
        found.push_back(&requirement);
    return found;
  }

  /// Whether the signature or attestation is as new as the user and the policy want. The serial
  /// number is the image's, which its signature has to tell; an attestation need not repeat it.
  bool is_recent(const Signer& signer, const Claim& claim, const std::set<std::string>& names,
                 Outcome& outcome) const {
    const SigningPayload& payload = claim.payload;
    const bool is_attestation = !claim.attestation.empty();
    const std::string_view what = is_attestation ? "attestation" : "signature";
    const auto refuse = [&](const std::string& why) {
      outcome.note(Failure::too_old,
                   is_attestation ? fmt::format("attestation '{}' signed by {}, but {}",
                                                visible(claim.attestation), signer.who(), why)
                                  : fmt::format("signed by {}, but {}", signer.who(), why));
      return false;
    };
    std::optional<std::int64_t> max_age = demands_.max_age;
    for (const Requirement* requirement : requirements_for(names)) {
      if (requirement->max_age)
        max_age = std::min(max_age.value_or(*requirement->max_age), *requirement->max_age);
      if (requirement->min_serial && (payload.serial || !is_attestation) &&
          payload.serial.value_or(0) < *requirement->min_serial)
        return refuse(fmt::format("the policy requires a serial number of {} or more",
                                  *requirement->min_serial));
      if (requirement->not_before && payload.time.value_or(0) < *requirement->not_before)
        return refuse(fmt::format("the policy requires {} {} made after {}",
                                  is_attestation ? "an" : "a", what,
                                  format_time(*requirement->not_before)));
    }
    if (!max_age) return true;
    if (!payload.time) return refuse(fmt::format("the {} does not say when it was made", what));
    if (*payload.time > now_ + kMaxSkew)
      return refuse(fmt::format("its time is in the future ({})", format_time(*payload.time)));
    if (now_ - *payload.time > *max_age)
      return refuse(fmt::format("longer ago than allowed ({})", format_time(*payload.time)));
    return true;
  }

 private:
  std::optional<Signer> signer_of(const Rule& rule, const OpenedEvidence& opened,
                                  const Result<crypto::CertificateChain>& chain,
                                  Outcome& outcome) const {
    if (rule.key) {
      if (has_signed(*rule.key, opened))
        return Signer{rule.key->fingerprint(), rule.key->fingerprint()};
      outcome.note(Failure::foreign_key, "not signed by a trusted key");
      return std::nullopt;
    }
    if (opened.certificates.empty()) {
      outcome.note(Failure::foreign_key, "not signed by a trusted key");
      return std::nullopt;
    }
    if (!chain) {
      outcome.note(Failure::foreign_key, chain.error().message());
      return std::nullopt;
    }
    return certified(*rule.certificates, opened, *chain, outcome);
  }

  std::optional<Signer> certified(const CertificateTrust& trust, const OpenedEvidence& opened,
                                  const crypto::CertificateChain& chain, Outcome& outcome) const {
    if (!has_signed(chain.key(), opened)) {
      outcome.note(Failure::foreign_key, "its signature is not that of its certificate");
      return std::nullopt;
    }
    if (const auto verified = chain.verify(trust.authorities, now_); !verified) {
      outcome.note(Failure::foreign_key, verified.error().message());
      return std::nullopt;
    }
    Signer signer{chain.fingerprint(), PublicKey(chain.key()).fingerprint(),
                  subject_text(chain.subject())};
    const auto wanted =
        trust.subject.empty() ? Result<Subject>(Subject()) : parse_subject(trust.subject);
    if (!wanted || !has_attributes(chain.subject(), *wanted)) {
      outcome.note(Failure::wrong_identity, fmt::format("signed by {}, but only '{}' is trusted",
                                                        signer.who(), trust.subject));
      return std::nullopt;
    }
    return signer;
  }

  /// Whether the signature has not expired, and was made while its certificates were valid: the
  /// signer says when, which nobody else confirms, so they must be valid now as well.
  bool is_in_time(const Rule& rule, const Signer& signer, const OpenedEvidence& opened,
                  const Result<crypto::CertificateChain>& chain, const Claim& claim,
                  Outcome& outcome) const {
    if (opened.expiry && now_ > *opened.expiry) {
      outcome.note(Failure::too_old, fmt::format("signed by {}, but it expired at {}", signer.who(),
                                                 format_time(*opened.expiry)));
      return false;
    }
    if (!rule.certificates || !claim.payload.time) return true;
    const auto verified = chain->verify(rule.certificates->authorities, *claim.payload.time);
    if (verified) return true;
    outcome.note(Failure::too_old, fmt::format("signed by {}, but at the time of signing {}",
                                               signer.who(), verified.error().message()));
    return false;
  }

  /// Whether the rule trusts the signer with this.
  bool allows(const Rule& rule, const Signer& signer, const Claim& claim, Outcome& outcome) const {
    const SigningPayload& payload = claim.payload;
    const std::string& identity = payload.docker_reference;
    // Most attestations name no image. They are about one by its digest, whose name is signed.
    const bool is_named = claim.attestation.empty() || !identity.empty();
    if (payload.manifest != manifest_) {
      outcome.note(Failure::other_manifest,
                   fmt::format("{} has signed another manifest, {}", signer.who(),
                               payload.manifest.to_string()));
    } else if (!rule.pins.empty() && std::ranges::find(rule.pins, manifest_) == rule.pins.end()) {
      outcome.note(
          Failure::not_pinned,
          fmt::format("signed by {}, which is trusted only for pinned manifests", signer.who()));
    } else if (is_named && rule.identity_pattern &&
               !matches_pattern(*rule.identity_pattern, identity)) {
      outcome.note(Failure::wrong_identity,
                   fmt::format("signed by {} as {}, but the key is trusted only for '{}'",
                               signer.who(), quoted(identity), *rule.identity_pattern));
    } else if (is_named && !identity_allows_name(identity, name_, manifest_)) {
      outcome.note(Failure::wrong_identity,
                   fmt::format("signed as {}, so it cannot have the name {}", quoted(identity),
                               quoted(name_)));
    } else if (is_named && demands_.fits && !demands_.fits(identity)) {
      outcome.note(Failure::wrong_identity,
                   fmt::format("{} has signed it as {}, not under the name that the signature "
                               "policy demands",
                               signer.who(), quoted(identity)));
    } else if (is_named && !demands_.identity.empty() &&
               !matches_pattern(demands_.identity, identity)) {
      // A signature under another name than the one that was asked for does not count.
      outcome.note(Failure::wrong_identity,
                   fmt::format("{} has signed it as {}, not as --identity '{}'", signer.who(),
                               quoted(identity), demands_.identity));
    } else {
      // Which requirements are for an attestation is known once the signatures are.
      return !claim.attestation.empty() ||
             is_recent(signer, claim, {identity, name_, demands_.place}, outcome);
    }
    return false;
  }

  const std::vector<Rule>& rules_;
  const Digest& manifest_;
  const std::string& name_;
  const Policy& policy_;
  const Demands& demands_;
  std::int64_t now_ = 0;
};

/// What is said of several pieces, each of which failed for a reason of its own.
std::string list_rejections(const std::vector<Rejection>& rejected, const Outcome& told) {
  constexpr std::size_t kMaxTold = 8;
  const bool all_told = std::ranges::all_of(
      rejected, [&](const Rejection& rejection) { return rejection.reason == told.reason; });
  if (all_told) return "";
  std::string text = fmt::format("; {} signatures were tried", rejected.size());
  for (std::size_t i = 0; i < std::min(rejected.size(), kMaxTold); ++i)
    text += fmt::format("{}{}: {}", i == 0 ? ": " : "; ", rejected[i].what, rejected[i].reason);
  return text + (rejected.size() > kMaxTold ? "; and others" : "");
}

/// The pieces of unknown kinds, for people.
std::string list_foreign(const std::vector<Evidence>& evidence) {
  std::string text;
  for (const Evidence& piece : evidence)
    if (!piece.can_be_judged()) text += (text.empty() ? "" : ", ") + piece.what;
  return text;
}

Error untrusted(const Digest& manifest, std::string_view reason, std::string_view others = {}) {
  return Error(ErrorKind::untrusted, fmt::format("{}: {}{}{}", manifest.to_string(), reason,
                                                 others.empty() ? "" : "; also found: ", others));
}

std::string describe_rule(const Accepted& accepted) {
  const Rule& rule = *accepted.rule;
  return fmt::format(
      "{} ({}), for {}", accepted.number, rule.label.empty() ? rule.fingerprint() : rule.label,
      rule.identity_pattern ? "'" + *rule.identity_pattern + "'" : std::string("any image"));
}

Verdict verdict_of(const Accepted& accepted) {
  Verdict verdict{accepted.signer.fingerprint, accepted.claim.payload.docker_reference,
                  accepted.rule->label};
  verdict.subject = accepted.signer.subject;
  verdict.time = accepted.claim.payload.time;
  verdict.serial = accepted.claim.payload.serial;
  verdict.rule = describe_rule(accepted);
  return verdict;
}

/// Everything that was accepted for a manifest.
struct Gathered {
  std::vector<Accepted> signatures{};
  std::vector<Accepted> attestations{};
  std::vector<Rejection> rejected{};
  Outcome worst{};  ///< of all pieces: the most telling one
};

/// By which names the image goes, of those that a requirement may be for.
std::set<std::string> names_of(const Gathered& gathered, const std::string& name,
                               const std::string& place) {
  std::set<std::string> names{name, place};
  for (const Accepted& accepted : gathered.signatures)
    names.insert(accepted.claim.payload.docker_reference);
  return names;
}

/// Removes the attestations that are older than these names allow.
void drop_old_attestations(const Judge& judge, const std::set<std::string>& names,
                           Gathered& gathered) {
  std::erase_if(gathered.attestations, [&](const Accepted& accepted) {
    std::set<std::string> all = names;
    all.insert(accepted.claim.payload.docker_reference);
    Outcome outcome;
    if (judge.is_recent(accepted.signer, accepted.claim, all, outcome)) return false;
    gathered.rejected.push_back({accepted.what, std::move(outcome.reason)});
    return true;
  });
}

/// `all`: otherwise the first good signature is enough.
Gathered gather(const Judge& judge, const std::vector<Evidence>& evidence, bool all) {
  Gathered gathered;
  for (const Evidence& piece : evidence) {
    if (!piece.can_be_judged()) continue;
    Outcome outcome;
    if (auto accepted = judge.judge(piece, outcome)) {
      if (!accepted->claim.attestation.empty()) {
        gathered.worst.note(
            Failure::bad_payload,
            fmt::format("{} has signed something else: an attestation, '{}'",
                        accepted->signer.who(), visible(accepted->claim.attestation)));
        gathered.rejected.push_back({piece.what, "an attestation, not a signature"});
        gathered.attestations.push_back(*std::move(accepted));
        continue;
      }
      gathered.signatures.push_back(*std::move(accepted));
      if (!all) break;
      continue;
    }
    gathered.worst.note(outcome.failure, outcome.reason);
    gathered.rejected.push_back({piece.what, std::move(outcome.reason)});
  }
  return gathered;
}

/// Who has signed, as one of the names that a requirement is for.
std::vector<std::string> signers_for(const Gathered& gathered, const Requirement& requirement) {
  DifferentSigners signers;
  for (const Accepted& accepted : gathered.signatures) {
    if (requirement.identity_pattern &&
        !matches_pattern(*requirement.identity_pattern, accepted.claim.payload.docker_reference))
      continue;
    signers.add(accepted.signer, verdict_of(accepted).key_name());
  }
  return signers.names();
}

/// Whether a trusted signer has made an attestation of this type. Such a signer may sign the image.
bool is_attested(const Gathered& gathered, const std::string& type, const std::string& identity) {
  return std::ranges::any_of(gathered.attestations, [&](const Accepted& accepted) {
    if (accepted.claim.attestation != type) return false;
    const auto& pattern = accepted.rule->identity_pattern;
    return !accepted.claim.payload.docker_reference.empty() || !pattern ||
           matches_pattern(*pattern, identity);
  });
}

/// Why those that there are do not count.
std::string why_not_attested(const Gathered& gathered, const std::string& type) {
  const std::string about = "attestation '" + visible(type) + "' ";
  for (const Rejection& rejection : gathered.rejected)
    if (rejection.reason.starts_with(about)) return "; found: " + rejection.reason;
  return "";
}

/// Checks what is required besides one signature, and notes in the verdict what was found.
Result<void> check_requirements(const Judge& judge, const Gathered& gathered,
                                const Digest& manifest, const std::set<std::string>& names,
                                const Demands& demands, Verdict& verdict) {
  std::vector<std::string> types = demands.attestations;
  for (const Requirement* requirement : judge.requirements_for(names)) {
    auto signers = signers_for(gathered, *requirement);
    if (signers.size() < requirement->signers)
      return untrusted(
          manifest, fmt::format("the policy requires {} signer{}{}, and {} signed",
                                requirement->signers, requirement->signers == 1 ? "" : "s",
                                requirement->identity_pattern
                                    ? " for '" + *requirement->identity_pattern + "'"
                                    : std::string(),
                                signers.empty() ? "none" : fmt::format("only {}", signers.size())));
    if (signers.size() > verdict.signers.size()) verdict.signers = std::move(signers);
    types.insert(types.end(), requirement->attestations.begin(), requirement->attestations.end());
  }
  for (const std::string& type : types) {
    if (!is_attested(gathered, type, verdict.identity))
      return untrusted(manifest, fmt::format("no attestation '{}' by a trusted signer{}",
                                             visible(type), why_not_attested(gathered, type)));
    if (std::ranges::find(verdict.attestations, type) == verdict.attestations.end())
      verdict.attestations.push_back(type);
  }
  return {};
}

/// For people: who has signed what, and which rule accepts it.
Rejection explain(const Accepted& accepted) {
  const std::string& type = accepted.claim.attestation;
  const std::string& identity = accepted.claim.payload.docker_reference;
  std::string text = type.empty() ? "signature" : "attestation '" + visible(type) + "'";
  text += " by " + verdict_of(accepted).key_name() + " as " + quoted(identity);
  if (accepted.claim.payload.time) text += " at " + format_time(*accepted.claim.payload.time);
  return {accepted.what, text + "; rule " + describe_rule(accepted)};
}

void explain(const std::vector<Rule>& rules, const Judge& judge, const Gathered& gathered,
             const std::set<std::string>& names, Explanation& explanation) {
  for (std::size_t i = 0; i < rules.size(); ++i)
    explanation.rules.push_back(describe_rule({&rules[i], i + 1, {}, {}, {}}));
  for (const Requirement* requirement : judge.requirements_for(names))
    explanation.requirements.push_back(describe(*requirement));
  for (const auto* list : {&gathered.signatures, &gathered.attestations})
    for (const Accepted& accepted : *list) explanation.accepted.push_back(explain(accepted));
  explanation.rejected = gathered.rejected;
}

/// Neither the manifest nor what led to it may be revoked.
Result<void> check_not_revoked(const Policy& policy, const Digest& manifest,
                               const std::vector<Digest>& through) {
  if (policy.is_revoked(manifest)) return untrusted(manifest, "revoked by the trust policy");
  for (const Digest& digest : through)
    if (policy.is_revoked(digest))
      return untrusted(manifest, fmt::format("it comes from the index {}, which is revoked by the "
                                             "trust policy",
                                             digest.to_string()));
  return {};
}

}  // namespace

std::string Verdict::key_name() const {
  const std::string who =
      subject.empty() ? key_fingerprint : subject + ", certificate " + key_fingerprint;
  return key_label.empty() ? who : key_label + " (" + who + ")";
}

std::vector<Rule> rules_for(const std::vector<PublicKey>& keys, const Policy& policy) {
  std::vector<Rule> rules;
  rules.reserve(keys.size());
  for (const PublicKey& key : keys)
    rules.push_back({.key = key,
                     .identity_pattern = {},
                     .pins = {},
                     .label = policy.label_of(key.fingerprint())});
  return rules;
}

Result<Verdict> evaluate_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                               const std::string& name, const Policy& policy,
                               const Demands& demands, Explanation* explanation) {
  if (!demands.identity.empty())
    TRY(check_identity_pattern(demands.identity).context("--identity"));
  TRY(check_not_revoked(policy, manifest, demands.through));
  const auto count =
      static_cast<std::size_t>(std::ranges::count_if(evidence, &Evidence::can_be_judged));
  const std::string others = list_foreign(evidence);
  if (count == 0 && !others.empty())
    return untrusted(manifest, "no signature that can be verified; found only: " + others);
  if (count == 0) return untrusted(manifest, "not signed");
  const std::vector<Rule>& rules = demands.rules.empty() ? policy.rules() : demands.rules;
  if (rules.empty())
    return untrusted(manifest, "there are no trusted keys; `intact help trust` explains them",
                     others);
  if (count > kMaxSignatures)
    return Error(ErrorKind::limit, fmt::format("more than {} signatures", kMaxSignatures));

  const Judge judge(rules, manifest, name, policy, demands);
  const bool all = explanation || demands.judge_all || !demands.attestations.empty() ||
                   !policy.requirements().empty();
  Gathered gathered = gather(judge, evidence, all);
  const std::set<std::string> names = names_of(gathered, name, demands.place);
  drop_old_attestations(judge, names, gathered);
  if (explanation) explain(rules, judge, gathered, names, *explanation);
  if (gathered.signatures.empty()) {
    std::string reason = gathered.worst.reason;
    if (gathered.worst.failure == Failure::foreign_key)
      reason += fmt::format("; {}", kForeignKeyAdvice);
    return untrusted(manifest, reason + list_rejections(gathered.rejected, gathered.worst), others);
  }
  Verdict verdict = verdict_of(gathered.signatures.front());
  // Of this identity only: the number of another one would raise its floor.
  for (const Accepted& accepted : gathered.signatures)
    if (accepted.claim.payload.docker_reference == verdict.identity)
      verdict.serial = std::max(verdict.serial, accepted.claim.payload.serial);
  verdict.signers.push_back(verdict.key_name());
  TRY(check_requirements(judge, gathered, manifest, names, demands, verdict));
  verdict.rejected = std::move(gathered.rejected);
  return verdict;
}

}  // namespace intact::sign
