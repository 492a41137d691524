#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

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

}  // namespace

namespace {

Result<Verdict> judge(const std::vector<Evidence>& evidence, const Digest& manifest,
                      const std::string& name, const Anchors& anchors, Explanation* explanation) {
  auto policy = anchors.policy_file ? Policy::load(*anchors.policy_file) : Policy::load_default();
  if (!policy) {
    // A policy that was asked for and is not there trusts nobody.
    if (policy.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::untrusted, manifest.to_string() + ": " + policy.error().message());
    return std::move(policy).error();
  }
  auto verdict = evaluate_trust(evidence, manifest, name, *policy,
                                {.rules = TRY(rules_of(anchors, *policy)),
                                 .identity = anchors.identity,
                                 .attestations = anchors.attestations,
                                 .max_age = anchors.max_age},
                                explanation);
  const bool demands_more = !anchors.identity.empty() || !anchors.attestations.empty();
  if (!verdict && anchors.insecure_unsigned && !demands_more &&
      verdict.error().kind() == ErrorKind::untrusted && !policy->is_revoked(manifest))
    return Verdict{};
  return verdict;
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
  for (const std::string& file : anchors.key_files) named.push_back("--pub " + file);
  for (const std::string& file : anchors.authority_files) named.push_back("--ca " + file);
  if (!named.empty()) return fmt::format("{}", fmt::join(named, ", "));
  if (anchors.policy_file) return *anchors.policy_file;
  std::vector<std::string> files = default_policy_files();
  std::erase_if(files, [](const std::string& file) { return ::access(file.c_str(), F_OK) != 0; });
  return fmt::format("{}", fmt::join(files, ", "));
}

}  // namespace intact::sign
