// Whom the user trusts.
#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/report/results.h>
#include <intact/sign/identity.h>

#include "text.h"

namespace intact::report {
namespace {

Json to_json(const std::vector<Digest>& digests) {
  Json list = Json::array();
  for (const Digest& digest : digests) list.push_back(digest.to_string());
  return list;
}

/// "Release key (sha256:...)".
std::string key_name(const sign::Rule& rule) {
  return rule.label.empty() ? rule.fingerprint() : rule.label + " (" + rule.fingerprint() + ")";
}

/// The pattern as it was given, and what it means where that is another name.
std::string scope(const sign::Rule& rule) {
  if (!rule.identity_pattern) return "any image";
  const std::string means = sign::describe_pattern(*rule.identity_pattern);
  if (means.starts_with(*rule.identity_pattern)) return *rule.identity_pattern;
  return *rule.identity_pattern + " (means " + means + ")";
}

}  // namespace

Json to_json(const sign::Rule& rule, const std::string& file) {
  return {{"fingerprint", rule.fingerprint()},
          {"type", rule.kind()},
          {"label", rule.label},
          {"identity", rule.identity_pattern ? Json(*rule.identity_pattern) : Json()},
          {"pins", to_json(rule.pins)},
          {"policy", file},
          {"subject", rule.certificates ? Json(rule.certificates->subject) : Json()},
          {rule.key ? "key" : "certificates",
           rule.key ? rule.key->to_pem() : rule.certificates->to_pem()}};
}

std::string to_text(const sign::Rule& rule, const std::string& file) {
  return fmt::format(
      "Trusted: {}\n  for     {}{}\n  policy  {}\n", key_name(rule),
      rule.identity_pattern ? sign::describe_pattern(*rule.identity_pattern) : "any image",
      rule.pins.empty() ? "" : ", pinned manifests only", file);
}

Json to_json(const RemovedRule& removed) {
  return {{"fingerprint", removed.fingerprint}, {"policy", removed.file}};
}

std::string to_text(const RemovedRule& removed) {
  const std::string scope = removed.identity_pattern ? " for '" + *removed.identity_pattern + "'"
                            : removed.any            ? " for every image"
                                                     : "";
  return fmt::format("No longer trusted{}: {} (in {})\n", scope, removed.fingerprint, removed.file);
}

Json to_json(const ChangedRequirement& changed) {
  Json json = sign::to_json(changed.requirement);
  json["required"] = !changed.dropped;
  json["policy"] = changed.file;
  return json;
}

std::string to_text(const ChangedRequirement& changed) {
  const auto& pattern = changed.requirement.identity_pattern;
  return fmt::format("{} for {} (in {})\n", changed.dropped ? "No longer required" : "Required",
                     pattern ? "'" + *pattern + "'" : "every image", changed.file);
}

Json to_json(const ChangedRevocation& changed) {
  return {{"digest", changed.manifest.to_string()},
          {"revoked", !changed.undone},
          {"policy", changed.file}};
}

std::string to_text(const ChangedRevocation& changed) {
  return fmt::format("{} {} (in {})\n", changed.undone ? "No longer revoked:" : "Revoked:",
                     changed.manifest.to_string(), changed.file);
}

Json to_json(const std::vector<sign::PolicyFile>& policies) {
  Json rules = Json::array();
  Json requirements = Json::array();
  Json revoked = Json::array();
  for (const auto& [file, policy] : policies) {
    for (const sign::Rule& rule : policy.rules()) rules.push_back(to_json(rule, file));
    for (const sign::Requirement& requirement : policy.requirements()) {
      requirements.push_back(sign::to_json(requirement));
      requirements.back()["policy"] = file;
    }
    for (const Digest& digest : policy.revoked())
      revoked.push_back({{"digest", digest.to_string()}, {"policy", file}});
  }
  return Json{{"rules", std::move(rules)},
              {"requirements", std::move(requirements)},
              {"revoked", std::move(revoked)}};
}

std::string to_text(const std::vector<sign::PolicyFile>& policies) {
  std::string text;
  for (const auto& [file, policy] : policies) {
    if (policy.rules().empty() && policy.revoked().empty() && policy.requirements().empty())
      continue;
    text += fmt::format("{}\n", file);
    for (const sign::Rule& rule : policy.rules()) {
      text += fmt::format("  {}  {}  {}{}\n", rule.fingerprint(), rule.kind(), scope(rule),
                          rule.label.empty() ? "" : "  (" + rule.label + ")");
      for (const Digest& pin : rule.pins) text += fmt::format("    only {}\n", pin.to_string());
    }
    for (const sign::Requirement& requirement : policy.requirements())
      text += fmt::format("  required {}\n", sign::describe(requirement));
    for (const Digest& digest : policy.revoked())
      text += fmt::format("  revoked {}\n", digest.to_string());
  }
  return text.empty() ? "No keys are trusted and no manifests are revoked.\n" : text;
}

namespace {

Json pieces(const std::vector<sign::Rejection>& list) {
  Json json = Json::array();
  for (const sign::Rejection& piece : list)
    json.push_back({{"what", piece.what}, {"why", piece.reason}});
  return json;
}

}  // namespace

Json to_json(const image::TrustReport& report) {
  const sign::Explanation& explanation = report.explanation;
  const auto& verdict = explanation.verdict;
  return {{"ok", verdict.has_value()},
          {"manifest", report.manifest.to_string()},
          {"name", report.name},
          {"rules", explanation.rules},
          {"requirements", explanation.requirements},
          {"accepted", pieces(explanation.accepted)},
          {"rejected", pieces(explanation.rejected)},
          {"rule", verdict ? Json(verdict->rule) : Json()},
          {"signer", verdict ? Json(verdict->key_name()) : Json()},
          {"identity", verdict ? Json(verdict->identity) : Json()},
          {"message", explanation.refusal}};
}

std::string to_text(const image::TrustReport& report) {
  const sign::Explanation& explanation = report.explanation;
  std::string text = fmt::format("{}\n", report.manifest.to_string());
  const auto list = [&text](std::string_view what, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) text += fmt::format("  {} {}\n", what, visible(line));
  };
  list("rule", explanation.rules);
  list("required", explanation.requirements);
  for (const sign::Rejection& piece : explanation.accepted)
    text += fmt::format("  accepted {}: {}\n", visible(piece.what), visible(piece.reason));
  for (const sign::Rejection& piece : explanation.rejected)
    text += fmt::format("  rejected {}: {}\n", visible(piece.what), visible(piece.reason));
  if (!explanation.verdict)
    return text + fmt::format("Not trusted: {}\n", visible_message(explanation.refusal));
  if (explanation.verdict->basis() == sign::Basis::none)
    return text + "Accepted without a trusted signature\n";
  if (!explanation.verdict->is_signed())
    return text + fmt::format("Trusted: {}\n", basis_text({}, explanation.verdict->basis()));
  return text + fmt::format("Trusted: rule {} decides\n", visible(explanation.verdict->rule));
}

}  // namespace intact::report
