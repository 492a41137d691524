// Whom the user trusts.
#include <fmt/format.h>

#include <intact/report/results.h>
#include <intact/sign/identity.h>

namespace intact::report {
namespace {

Json to_json(const std::vector<Digest>& digests) {
  Json list = Json::array();
  for (const Digest& digest : digests) list.push_back(digest.to_string());
  return list;
}

/// "Release key (sha256:...)".
std::string key_name(const sign::Rule& rule) {
  return rule.label.empty() ? rule.key.fingerprint()
                            : rule.label + " (" + rule.key.fingerprint() + ")";
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
  return {{"fingerprint", rule.key.fingerprint()},
          {"type", to_string(rule.key.type())},
          {"label", rule.label},
          {"identity", rule.identity_pattern ? Json(*rule.identity_pattern) : Json()},
          {"pins", to_json(rule.pins)},
          {"policy", file},
          {"key", rule.key.to_pem()}};
}

std::string to_text(const sign::Rule& rule, const std::string& file) {
  return fmt::format(
      "Trusted: {}\n  for     {}{}\n  policy  {}\n", key_name(rule),
      rule.identity_pattern ? sign::describe_pattern(*rule.identity_pattern) : "any image",
      rule.pins.empty() ? "" : ", pinned manifests only", file);
}

Json to_json(const std::vector<sign::PolicyFile>& policies) {
  Json rules = Json::array();
  Json revoked = Json::array();
  for (const auto& [file, policy] : policies) {
    for (const sign::Rule& rule : policy.rules()) rules.push_back(to_json(rule, file));
    for (const Digest& digest : policy.revoked())
      revoked.push_back({{"digest", digest.to_string()}, {"policy", file}});
  }
  return Json{{"rules", std::move(rules)}, {"revoked", std::move(revoked)}};
}

std::string to_text(const std::vector<sign::PolicyFile>& policies) {
  std::string text;
  for (const auto& [file, policy] : policies) {
    if (policy.rules().empty() && policy.revoked().empty()) continue;
    text += fmt::format("{}\n", file);
    for (const sign::Rule& rule : policy.rules()) {
      text += fmt::format("  {}  {}  {}{}\n", rule.key.fingerprint(), to_string(rule.key.type()),
                          scope(rule), rule.label.empty() ? "" : "  (" + rule.label + ")");
      for (const Digest& pin : rule.pins) text += fmt::format("    only {}\n", pin.to_string());
    }
    for (const Digest& digest : policy.revoked())
      text += fmt::format("  revoked {}\n", digest.to_string());
  }
  return text.empty() ? "No keys are trusted and no manifests are revoked.\n" : text;
}

}  // namespace intact::report
