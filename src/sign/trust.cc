#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/sign/identity.h>
#include <intact/sign/trust.h>

#include "opened_evidence.h"

namespace intact::sign {
namespace {

/// Never "trust this key": the signature of a stranger is what an attack looks like.
constexpr std::string_view kForeignKeyAdvice =
    "make sure that this is the image you meant (`intact trust list` shows the keys that you "
    "trust)";

/// Why a signature was rejected, from the least to the most telling: the user hears the last.
enum class Failure { none, foreign_key, bad_payload, other_manifest, not_pinned, wrong_identity };

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

/// Whether the rule's key has signed this manifest under a name that fits.
std::optional<Verdict> judge(const Rule& rule, const SigningPayload& payload,
                             const Digest& manifest, const std::string& name, Outcome& outcome) {
  const std::string fingerprint = rule.key.fingerprint();
  const std::string& identity = payload.docker_reference;
  if (payload.manifest != manifest) {
    outcome.note(Failure::other_manifest, fmt::format("key {} has signed another manifest, {}",
                                                      fingerprint, payload.manifest.to_string()));
  } else if (!rule.pins.empty() && std::ranges::find(rule.pins, manifest) == rule.pins.end()) {
    outcome.note(
        Failure::not_pinned,
        fmt::format("signed by key {}, which is trusted only for pinned manifests", fingerprint));
  } else if (rule.identity_pattern && !matches_pattern(*rule.identity_pattern, identity)) {
    outcome.note(Failure::wrong_identity,
                 fmt::format("signed by key {} as {}, but the key is trusted only for '{}'",
                             fingerprint, quoted(identity), *rule.identity_pattern));
  } else if (!identity_allows_name(identity, name, manifest)) {
    outcome.note(Failure::wrong_identity, fmt::format("signed as {}, so it cannot have the name {}",
                                                      quoted(identity), quoted(name)));
  } else {
    return Verdict{fingerprint, identity, rule.label};
  }
  return std::nullopt;
}

/// A signature under another name than the one that was asked for does not count.
bool fits_identity(const Verdict& verdict, const std::string& expected, Outcome& outcome) {
  if (expected.empty() || matches_pattern(expected, verdict.identity)) return true;
  outcome.note(Failure::wrong_identity,
               fmt::format("key {} has signed it as {}, not as --identity '{}'",
                           verdict.key_fingerprint, quoted(verdict.identity), expected));
  return false;
}

std::optional<Verdict> judge(const Evidence& stored, const std::vector<Rule>& rules,
                             const Digest& manifest, const std::string& name,
                             const std::string& identity, Outcome& outcome) {
  const auto opened = open_evidence(stored, manifest);
  if (!opened) {
    outcome.note(Failure::foreign_key, opened.error().message());
    return std::nullopt;
  }
  for (const Rule& rule : rules) {
    // The signature covers the stored bytes: they are parsed only after it was found good.
    if (!has_signed(rule.key, *opened)) {
      outcome.note(Failure::foreign_key, "not signed by a trusted key");
      continue;
    }
    const auto claim = opened->claim();
    if (!claim || !claim->attestation.empty()) {
      outcome.note(Failure::bad_payload,
                   fmt::format("key {} has signed something else: {}", rule.key.fingerprint(),
                               claim ? "an attestation, '" + visible(claim->attestation) + "'"
                                     : claim.error().message()));
      continue;
    }
    auto verdict = judge(rule, claim->payload, manifest, name, outcome);
    if (verdict && fits_identity(*verdict, identity, outcome)) return verdict;
  }
  return std::nullopt;
}

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

/// The rules that count: those of the policy, or one for each key that was named instead.
std::vector<Rule> rules_of(const Policy& policy, const std::vector<PublicKey>& keys) {
  if (keys.empty()) return policy.rules();
  std::vector<Rule> rules;
  rules.reserve(keys.size());
  for (const PublicKey& key : keys)
    rules.push_back({.key = key,
                     .identity_pattern = {},
                     .pins = {},
                     .label = policy.label_of(key.fingerprint())});
  return rules;
}

Error untrusted(const Digest& manifest, std::string_view reason, std::string_view others = {}) {
  return Error(ErrorKind::untrusted, fmt::format("{}: {}{}{}", manifest.to_string(), reason,
                                                 others.empty() ? "" : "; also found: ", others));
}

}  // namespace

Result<Verdict> evaluate_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                               const std::string& name, const Policy& policy,
                               const std::vector<PublicKey>& keys, const std::string& identity) {
  if (!identity.empty()) TRY(check_identity_pattern(identity).context("--identity"));
  if (policy.is_revoked(manifest)) return untrusted(manifest, "revoked by the trust policy");
  const auto count =
      static_cast<std::size_t>(std::ranges::count_if(evidence, &Evidence::can_be_judged));
  const std::string others = list_foreign(evidence);
  if (count == 0 && !others.empty())
    return untrusted(manifest, "no signature that can be verified; found only: " + others);
  if (count == 0)
    return untrusted(manifest,
                     "not signed; get a signed image from its publisher, or seal your own with "
                     "`intact seal`");
  const std::vector<Rule> rules = rules_of(policy, keys);
  if (rules.empty())
    return untrusted(manifest, "there are no trusted keys; `intact help trust` explains them",
                     others);
  if (count > kMaxSignatures)
    return Error(ErrorKind::limit, fmt::format("more than {} signatures", kMaxSignatures));

  Outcome worst;  // of all pieces: the most telling one
  std::vector<Rejection> rejected;
  for (const Evidence& piece : evidence) {
    if (!piece.can_be_judged()) continue;
    Outcome outcome;
    if (auto verdict = judge(piece, rules, manifest, name, identity, outcome)) {
      verdict->rejected = std::move(rejected);
      return *std::move(verdict);
    }
    worst.note(outcome.failure, outcome.reason);
    rejected.push_back({piece.what, std::move(outcome.reason)});
  }
  std::string reason = worst.reason;
  if (worst.failure == Failure::foreign_key) reason += fmt::format("; {}", kForeignKeyAdvice);
  return untrusted(manifest, reason + list_rejections(rejected, worst), others);
}

Result<Verdict> check_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                            const std::string& name, const Anchors& anchors) {
  auto policy = anchors.policy_file ? Policy::load(*anchors.policy_file) : Policy::load_default();
  if (!policy) {
    // A policy that was asked for and is not there trusts nobody.
    if (policy.error().kind() == ErrorKind::not_found)
      return untrusted(manifest, policy.error().message());
    return std::move(policy).error();
  }
  std::vector<PublicKey> keys;
  keys.reserve(anchors.key_files.size());
  for (const std::string& file : anchors.key_files)
    keys.push_back(TRY(PublicKey::load(file).context("trusted key")));
  auto verdict = evaluate_trust(evidence, manifest, name, *policy, keys, anchors.identity);
  if (!verdict && anchors.insecure_unsigned && anchors.identity.empty() &&
      verdict.error().kind() == ErrorKind::untrusted && !policy->is_revoked(manifest))
    return Verdict{};
  return verdict;
}

std::string describe(const Anchors& anchors) {
  if (!anchors.key_files.empty())
    return fmt::format("--pub {}", fmt::join(anchors.key_files, ", --pub "));
  if (anchors.policy_file) return *anchors.policy_file;
  std::vector<std::string> files = default_policy_files();
  std::erase_if(files, [](const std::string& file) { return ::access(file.c_str(), F_OK) != 0; });
  return fmt::format("{}", fmt::join(files, ", "));
}

}  // namespace intact::sign
