#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/sign/identity.h>
#include <intact/sign/trust.h>

#include "containers_policy.h"

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

Result<Policy> load_policy(const Anchors& anchors, const Digest& manifest) {
  auto policy = anchors.policy_file ? Policy::load(*anchors.policy_file) : Policy::load_default();
  // A policy that was asked for and is not there trusts nobody.
  if (!policy && policy.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::untrusted, manifest.to_string() + ": " + policy.error().message());
  return policy;
}

/// The requirement of the policy that rules out every image without a signature, if there is one.
const Requirement* needed_signature(const Policy& policy, const std::string& name,
                                    const Anchors& anchors) {
  const auto needed = std::ranges::find_if(policy.requirements(), [&](const Requirement& one) {
    return !one.identity_pattern || is_for(one.identity_pattern, name) ||
           is_for(one.identity_pattern, anchors.place);
  });
  return needed == policy.requirements().end() ? nullptr : &*needed;
}

/// What can be done about an image without any signature: only what would help.
std::string advice_for_unsigned(bool may_be_accepted) {
  constexpr std::string_view kSigned = "get a signed image from its publisher";
  if (!may_be_accepted) return std::string(kSigned);
  return fmt::format("{}, or accept this one with `intact pull` and --pin DIGEST or --tofu",
                     kSigned);
}

/// Whether the anchors accept a manifest without a trusted signature. `reason` is why it has none.
Result<Verdict> accept_unsigned(Error reason, bool has_signatures, const Digest& manifest,
                                const std::string& name, const Policy& policy,
                                const Anchors& anchors) {
  Verdict verdict;
  const Requirement* const needed = needed_signature(policy, name, anchors);
  if (!anchors.require_signature() && (anchors.pin || anchors.first_use)) {
    if (needed)
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
    const bool is_for_place = is_for(rule->identity_pattern, anchors.place);
    return Error(
        ErrorKind::untrusted,
        fmt::format("{}: '{}' needs a signature by {}, since a rule of the trust policy is "
                    "for '{}'; {}pass --pin DIGEST",
                    manifest.to_string(), visible(is_for_place ? anchors.place : name),
                    rule->fingerprint(), *rule->identity_pattern,
                    is_for_place ? "" : "give the image another name, or "));
  }
  const bool demands_more = !anchors.identity.empty() || !anchors.attestations.empty();
  if (anchors.insecure_unsigned && !demands_more) return verdict;
  if (has_signatures) return reason;
  const bool is_asked_for = anchors.require_signature() || anchors.pin || anchors.first_use;
  return Error(ErrorKind::untrusted,
               reason.message() + "; " + advice_for_unsigned(!is_asked_for && !needed));
}

Demands demands_of(const Anchors& anchors) {
  Demands demands;
  demands.identity = anchors.identity;
  demands.place = anchors.place;
  demands.through = anchors.through;
  demands.attestations = anchors.attestations;
  demands.max_age = anchors.max_age;
  demands.judge_all = anchors.judge_all;
  return demands;
}

/// evaluate_trust() begins with this; here it is needed where nothing has to be evaluated.
Result<void> check_revoked(const Policy& policy, const Digest& manifest, const Anchors& anchors) {
  const auto is_revoked = [&](const Digest& digest) { return policy.is_revoked(digest); };
  if (!is_revoked(manifest) && std::ranges::none_of(anchors.through, is_revoked)) return {};
  return evaluate_trust({}, manifest, "", policy, demands_of(anchors)).error();
}

/// By the policy of containers/image. Its keys count in place of our rules; our requirements and
/// revocations hold as well.
Result<Verdict> judge_as_containers(const std::vector<Evidence>& evidence, const Digest& manifest,
                                    const std::string& name, const Policy& policy,
                                    const Anchors& anchors, Explanation* explanation) {
  using Type = ContainersPolicy::Requirement::Type;
  const std::string& file = *anchors.signature_policy;
  const ContainersPolicy theirs = TRY(ContainersPolicy::load(file));
  // What a store says of the place may be wrong, so a name in a registry has to be allowed as well.
  std::vector<std::string> images{anchors.place};
  if (name.find('/') != std::string::npos && name != anchors.place) images.push_back(name);
  std::string about;
  std::vector<std::pair<std::string, ContainersPolicy::Requirement>> required;
  for (const std::string& image : images) {
    const ContainersPolicy::Decision decision = TRY(theirs.decide(image, manifest));
    about = fmt::format("{}: the signature policy {} (scope {})", manifest.to_string(), file,
                        decision.scope);
    for (const auto& requirement : decision.requirements) {
      if (requirement.type == Type::reject)
        return Error(ErrorKind::untrusted, about + " rejects such images");
      if (requirement.type == Type::unsupported)
        return Error(ErrorKind::unsupported,
                     about + " requires " + requirement.unsupported + ", which is not supported");
      if (requirement.type == Type::sigstore_signed) required.emplace_back(image, requirement);
    }
    // The store's word on the indexes can refuse an image, but not choose a more lenient scope.
    for (const Digest& index : anchors.through)
      if (theirs.rejects(image, index))
        return Error(ErrorKind::untrusted,
                     fmt::format("{}: the signature policy {} rejects {}", manifest.to_string(),
                                 file, index.to_string()));
  }
  std::optional<Verdict> verdict;
  for (const auto& [image, requirement] : required) {
    Demands demands = demands_of(anchors);
    demands.rules = rules_for(TRY(load_keys(requirement)), policy);
    demands.fits = [&](const std::string& identity) {
      return requirement.identity.matches(image, identity);
    };
    auto judged = TRY(evaluate_trust(evidence, manifest, name, policy, demands, explanation)
                          .context(fmt::format("signature policy {}", file)));
    if (!verdict) verdict = std::move(judged);
  }
  if (verdict) return *std::move(verdict);
  TRY(check_revoked(policy, manifest, anchors));
  const Requirement* const needed = needed_signature(policy, name, anchors);
  if (needed)
    return Error(ErrorKind::untrusted,
                 fmt::format("{} accepts anything, but the trust policy has a requirement {}",
                             about, describe(*needed)));
  if (anchors.require_signature())
    return Error(ErrorKind::untrusted, about + " accepts anything, but a signature is asked for");
  return Verdict{};
}

Result<Verdict> judge(const std::vector<Evidence>& evidence, const Digest& manifest,
                      const std::string& name, const Anchors& anchors, Explanation* explanation) {
  const Policy policy = TRY(load_policy(anchors, manifest));
  if (anchors.pin && *anchors.pin != manifest)
    return Error(ErrorKind::untrusted, manifest.to_string() + ": not the digest that was pinned, " +
                                           anchors.pin->to_string());
  if (anchors.signature_policy)
    return judge_as_containers(evidence, manifest, name, policy, anchors, explanation);
  Demands demands = demands_of(anchors);
  demands.rules = TRY(rules_of(anchors, policy));
  auto verdict = evaluate_trust(evidence, manifest, name, policy, demands, explanation);
  const auto is_revoked = [&](const Digest& digest) { return policy.is_revoked(digest); };
  if (verdict || verdict.error().kind() != ErrorKind::untrusted || is_revoked(manifest) ||
      std::ranges::any_of(anchors.through, is_revoked))
    return verdict;
  return accept_unsigned(std::move(verdict).error(), !evidence.empty(), manifest, name, policy,
                         anchors);
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

Result<void> check_not_revoked(const std::vector<Digest>& parts, const Digest& manifest,
                               const Anchors& anchors) {
  const Policy policy = TRY(load_policy(anchors, manifest));
  for (const Digest& digest : parts)
    if (policy.is_revoked(digest))
      return Error(ErrorKind::untrusted,
                   fmt::format("{}: it contains {}, which is revoked by the trust policy",
                               manifest.to_string(), digest.to_string()));
  return {};
}

std::string describe(const Anchors& anchors) {
  std::vector<std::string> named;
  named.reserve(anchors.key_files.size() + anchors.authority_files.size());
  for (const std::string& file : anchors.key_files) named.push_back("--pub " + file);
  for (const std::string& file : anchors.authority_files) named.push_back("--ca " + file);
  if (!named.empty()) return fmt::format("{}", fmt::join(named, ", "));
  if (anchors.signature_policy) return *anchors.signature_policy;
  if (anchors.policy_file) return *anchors.policy_file;
  std::vector<std::string> files = default_policy_files();
  std::erase_if(files, [](const std::string& file) { return ::access(file.c_str(), F_OK) != 0; });
  return fmt::format("{}", fmt::join(files, ", "));
}

}  // namespace intact::sign
