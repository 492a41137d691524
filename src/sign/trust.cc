#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/sign/identity.h>
#include <intact/sign/trust.h>

namespace intact::sign {
namespace {

/// The rules that the command line names. Empty if it names none.
Result<std::vector<Rule>> rules_of(const Anchors& anchors, const Policy& policy) {
  std::vector<PublicKey> keys;
  keys.reserve(anchors.key_files.size());
  for (const std::string& file : anchors.key_files)
    keys.push_back(TRY(PublicKey::load(file).context("trusted key")));
  std::vector<Rule> rules = rules_for(keys, policy);
  for (const std::string& file : anchors.authority_files) {
    Rule rule{.key = {}, .identity_pattern = {}, .pins = {}};
    rule.certificates = CertificateTrust{
        .authorities = TRY(load_certificates(file).context("trusted certificate"))};
    rule.label = policy.label_of(rule.fingerprint());
    rules.push_back(std::move(rule));
  }
  return rules;
}

/// Whether a pattern of the policy is for images of this name.
bool is_for(const std::optional<std::string>& pattern, const std::string& name) {
  return pattern && matches_pattern(*pattern, name);
}

/// Whether the anchors accept a manifest without a trusted signature. `reason` is why it has none.
Result<Verdict> accept_unsigned(Error reason, const Digest& manifest, const std::string& name,
                                const Policy& policy, const Anchors& anchors) {
  Verdict verdict;
  if (!anchors.require_signature() && (anchors.pin || anchors.first_use)) {
    const auto needed = std::ranges::find_if(policy.requirements(), [&](const Requirement& one) {
      return !one.identity_pattern || is_for(one.identity_pattern, name) ||
             is_for(one.identity_pattern, anchors.place);
    });
    if (needed != policy.requirements().end())
      return Error(
          ErrorKind::untrusted,
          fmt::format("{}; the trust policy has a requirement {}, so neither a pin nor the "
                      "first use is enough",
                      reason.message(), describe(*needed)));
    if (anchors.pin) {
      verdict.unsigned_basis = Basis::pin;
      return verdict;
    }
    // The user knows who signs such images. To take another for lack of a signature is what an
    // attacker who has removed it would hope for.
    const auto rule = std::ranges::find_if(policy.rules(), [&](const Rule& known) {
      return is_for(known.identity_pattern, name) || is_for(known.identity_pattern, anchors.place);
    });
    if (rule == policy.rules().end()) {
      verdict.unsigned_basis = Basis::first_use;
      return verdict;
    }
    return Error(
        ErrorKind::untrusted,
        fmt::format("{}: '{}' needs a signature by {}, since a rule of the trust policy is "
                    "for '{}'; give the image another name, or pass --pin DIGEST",
                    manifest.to_string(), visible(name.empty() ? anchors.place : name),
                    rule->fingerprint(), *rule->identity_pattern));
  }
  const bool demands_more = !anchors.identity.empty() || !anchors.attestations.empty();
  if (anchors.insecure_unsigned && !demands_more) return verdict;
  return reason;
}

Result<Verdict> judge(const std::vector<Evidence>& evidence, const Digest& manifest,
                      const std::string& name, const Anchors& anchors, Explanation* explanation) {
  auto policy = anchors.policy_file ? Policy::load(*anchors.policy_file) : Policy::load_default();
  if (!policy) {
    // A policy that was asked for and is not there trusts nobody.
    if (policy.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::untrusted, manifest.to_string() + ": " + policy.error().message());
    return std::move(policy).error();
  }
  if (anchors.pin && *anchors.pin != manifest)
    return Error(ErrorKind::untrusted, manifest.to_string() + ": not the digest that was pinned, " +
                                           anchors.pin->to_string());
  auto verdict = evaluate_trust(evidence, manifest, name, *policy,
                                {.rules = TRY(rules_of(anchors, *policy)),
                                 .identity = anchors.identity,
                                 .place = anchors.place,
                                 .attestations = anchors.attestations,
                                 .max_age = anchors.max_age},
                                explanation);
  if (verdict || verdict.error().kind() != ErrorKind::untrusted || policy->is_revoked(manifest))
    return verdict;
  return accept_unsigned(std::move(verdict).error(), manifest, name, *policy, anchors);
}

}  // namespace

Result<Verdict> check_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                            const std::string& name, const Anchors& anchors) {
  return judge(evidence, manifest, name, anchors, nullptr);
}

Result<Explanation> explain_trust(const std::vector<Evidence>& evidence, const Digest& manifest,
                                  const std::string& name, const Anchors& anchors) {
  Explanation explanation;
  auto verdict = judge(evidence, manifest, name, anchors, &explanation);
  if (verdict) {
    explanation.verdict = *std::move(verdict);
  } else if (verdict.error().kind() == ErrorKind::untrusted) {
    explanation.refusal = verdict.error().message();
  } else {
    return std::move(verdict).error();
  }
  return explanation;
}

std::string describe(const Anchors& anchors) {
  std::vector<std::string> named;
  named.reserve(anchors.key_files.size() + anchors.authority_files.size());
  for (const std::string& file : anchors.key_files) named.push_back("--pub " + file);
  for (const std::string& file : anchors.authority_files) named.push_back("--ca " + file);
  if (!named.empty()) return fmt::format("{}", fmt::join(named, ", "));
  if (anchors.policy_file) return *anchors.policy_file;
  std::vector<std::string> files = default_policy_files();
  std::erase_if(files, [](const std::string& file) { return ::access(file.c_str(), F_OK) != 0; });
  return fmt::format("{}", fmt::join(files, ", "));
}

}  // namespace intact::sign
