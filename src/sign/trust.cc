#include <algorithm>

#include <fmt/format.h>

#include <intact/crypto/base64.h>
#include <intact/sign/identity.h>
#include <intact/sign/trust.h>

namespace intact::sign {
namespace {

constexpr std::string_view kAdvice =
    "trust its signer's key with `intact trust add KEY.pub`, or name it with --pub KEY.pub";

/// Why one signature did not count, from the least to the most telling: the user hears the last.
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
  // Signed, but by whom we do not know in every case: it must not steer a terminal.
  std::string shown = identity.substr(0, 200);
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return "'" + shown + "'";
}

/// Whether what the rule's key has signed is this manifest under a name that fits.
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
        fmt::format("key {} has signed it, but is trusted for pinned manifests only", fingerprint));
  } else if (!rule.identity_pattern.empty() && !matches_pattern(rule.identity_pattern, identity)) {
    outcome.note(Failure::wrong_identity,
                 fmt::format("key {} has signed it as {}, but is trusted for '{}' only",
                             fingerprint, quoted(identity), rule.identity_pattern));
  } else if (!identity_allows_name(identity, name, manifest)) {
    outcome.note(Failure::wrong_identity,
                 fmt::format("it was signed as {}, so it cannot go by the name {}",
                             quoted(identity), quoted(name)));
  } else {
    return Verdict{fingerprint, identity};
  }
  return std::nullopt;
}

std::optional<Verdict> judge(const StoredSignature& stored, const std::vector<Rule>& rules,
                             const Digest& manifest, const std::string& name, Outcome& outcome) {
  const auto signature = crypto::decode_base64(stored.signature_base64);
  if (!signature) {
    outcome.note(Failure::foreign_key, "its signature is not valid base64");
    return std::nullopt;
  }
  for (const Rule& rule : rules) {
    // First the signature over the bytes as they are, then a look into them.
    if (!rule.key.verify(stored.payload, *signature)) {
      outcome.note(Failure::foreign_key, "no key that you trust has signed it");
      continue;
    }
    const auto payload = parse_payload(stored.payload);
    if (!payload) {
      outcome.note(Failure::bad_payload,
                   fmt::format("key {} has signed something else: {}", rule.key.fingerprint(),
                               payload.error().message()));
      continue;
    }
    if (auto verdict = judge(rule, *payload, manifest, name, outcome)) return verdict;
  }
  return std::nullopt;
}

Error untrusted(const Digest& manifest, const std::string& name, std::string_view reason) {
  return Error(ErrorKind::untrusted,
               fmt::format("{}{} is not trusted: {}", name.empty() ? "" : quoted(name) + " = ",
                           manifest.to_string(), reason));
}

}  // namespace

Result<Verdict> evaluate_trust(const std::vector<StoredSignature>& signatures,
                               const Digest& manifest, const std::string& name,
                               const Policy& policy, const std::vector<PublicKey>& keys) {
  if (policy.is_revoked(manifest))
    return untrusted(manifest, name,
                     "the trust policy revokes it (`intact trust revoke --undo` takes that back)");
  if (signatures.empty())
    return untrusted(manifest, name,
                     "it is not signed (seal it, or say --insecure-unsigned to go on without)");
  std::vector<Rule> rules = policy.rules();
  if (!keys.empty()) {
    rules.clear();
    for (const PublicKey& key : keys)
      rules.push_back({.key = key, .identity_pattern = {}, .pins = {}});
  }
  if (rules.empty())
    return untrusted(manifest, name, fmt::format("no key is trusted yet: {}", kAdvice));

  if (signatures.size() > kMaxSignatures)
    return Error(ErrorKind::limit, fmt::format("more than {} signatures", kMaxSignatures));
  Outcome outcome;
  for (const StoredSignature& stored : signatures)
    if (auto verdict = judge(stored, rules, manifest, name, outcome)) return *std::move(verdict);
  if (outcome.failure == Failure::foreign_key)
    return untrusted(manifest, name, fmt::format("{}: {}", outcome.reason, kAdvice));
  return untrusted(manifest, name, outcome.reason);
}

Result<Verdict> check_trust(const std::vector<StoredSignature>& signatures, const Digest& manifest,
                            const std::string& name, const Anchors& anchors) {
  auto policy = anchors.policy_file ? Policy::load(*anchors.policy_file) : Policy::load_default();
  if (!policy) {
    // A policy that was asked for and is not there trusts nobody.
    if (policy.error().kind() == ErrorKind::not_found)
      return untrusted(manifest, name, policy.error().message());
    return std::move(policy).error();
  }
  std::vector<PublicKey> keys;
  keys.reserve(anchors.key_files.size());
  for (const std::string& file : anchors.key_files)
    keys.push_back(TRY(PublicKey::load(file).context("trusted key")));
  auto verdict = evaluate_trust(signatures, manifest, name, *policy, keys);
  if (!verdict && anchors.insecure_unsigned && verdict.error().kind() == ErrorKind::untrusted &&
      !policy->is_revoked(manifest))
    return Verdict{};
  return verdict;
}

}  // namespace intact::sign
