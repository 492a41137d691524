#include <algorithm>
#include <set>

#include <intact/base/visible.h>
#include <intact/json/json.h>
#include <intact/sign/identity.h>
#include <intact/sign/policy.h>

#include "requirement_json.h"

namespace intact::sign {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxPolicySize = 4 * 1024 * 1024;  // bytes
constexpr std::size_t kMaxDigests = 10'000;              // in one list

Result<std::vector<Digest>> parse_digests(const Json& object, std::string_view key) {
  std::vector<Digest> digests;
  const Json* const list = TRY(optional_array(object, key));
  if (!list) return digests;
  if (list->size() > kMaxDigests)
    return Error(ErrorKind::limit, "\"" + std::string(key) + "\" has too many digests");
  for (const Json& item : *list) {
    if (!item.is_string())
      return Error(ErrorKind::malformed, "\"" + std::string(key) + "\" is not a list of strings");
    digests.push_back(TRY(Digest::parse(item.get_ref<const std::string&>())));
  }
  return digests;
}

Result<CertificateTrust> parse_certificate_trust(const Json& item) {
  CertificateTrust trust{
      .authorities = TRY(parse_certificates(as_bytes(TRY(require_string(item, "certificates")))))};
  if (const auto subject = TRY(optional_string(item, "subject"))) {
    TRY(parse_subject(*subject));
    trust.subject = *subject;
  }
  return trust;
}

Result<Rule> parse_rule(const Json& item) {
  if (!item.is_object()) return Error(ErrorKind::malformed, "a rule is not an object");
  TRY(refuse_strange_members(
      item, {"key", "certificates", "subject", "fingerprint", "label", "identity", "pins"}));
  Rule rule{.key = {}, .identity_pattern = {}, .pins = {}};
  if (item.contains("certificates")) {
    if (item.contains("key"))
      return Error(ErrorKind::malformed, "a rule with a key and with certificates");
    rule.certificates = TRY(parse_certificate_trust(item));
  } else {
    if (item.contains("subject"))
      return Error(ErrorKind::malformed, "a subject without certificates");
    rule.key = TRY(PublicKey::from_pem(TRY(require_string(item, "key"))));
  }
  // People read the fingerprint and the program the key: they must agree.
  if (TRY(require_string(item, "fingerprint")) != rule.fingerprint())
    return Error(ErrorKind::malformed,
                 "the fingerprint is not the key's, which is " + rule.fingerprint());
  // Present and empty is not absent: somebody meant to narrow the rule.
  rule.identity_pattern = TRY(optional_string(item, "identity"));
  if (rule.identity_pattern) TRY(check_identity_pattern(*rule.identity_pattern));
  rule.pins = TRY(parse_digests(item, "pins"));
  if (item.contains("pins") && rule.pins.empty())
    return Error(ErrorKind::malformed, "\"pins\" is empty; leave it out to trust any manifest");
  if (const auto label = TRY(optional_string(item, "label"))) {
    TRY(check_label(*label));
    rule.label = *label;
  }
  return rule;
}

/// What is wrong with an argument in a command is a malformed file here.
Error about_file(Error error) {
  const bool is_argument =
      error.kind() == ErrorKind::invalid_argument || error.kind() == ErrorKind::exists;
  return is_argument ? Error(ErrorKind::malformed, error.message()) : std::move(error);
}

Json to_json(const std::vector<Digest>& digests) {
  Json list = Json::array();
  for (const Digest& digest : digests) list.push_back(digest.to_string());
  return list;
}

void insert_missing(std::vector<Digest>& into, const std::vector<Digest>& from) {
  for (const Digest& digest : from)
    if (std::ranges::find(into, digest) == into.end()) into.push_back(digest);
}

Result<Policy> parse_policy(ByteSpan text, std::vector<Digest>& revoked) {
  const Json document =
      TRY(parse_json(text, {.bytes = kMaxPolicySize, .depth = 16, .values = 100'000}));
  if (!document.is_object()) return Error(ErrorKind::malformed, "not a JSON object");
  if (TRY(require_uint(document, "version")) != kVersion)
    return Error(ErrorKind::unsupported, "not a policy of version 1");
  TRY(refuse_strange_members(document, {"version", "rules", "requirements", "revoked"}));
  Policy policy;
  if (const Json* const rules = TRY(optional_array(document, "rules"))) {
    for (std::size_t i = 0; i < rules->size(); ++i) {
      Rule rule = TRY(parse_rule((*rules)[i]).context("rule " + std::to_string(i + 1)));
      TRY(policy.add(std::move(rule)).context("rule " + std::to_string(i + 1)));
    }
  }
  if (const Json* const requirements = TRY(optional_array(document, "requirements"))) {
    for (std::size_t i = 0; i < requirements->size(); ++i) {
      const std::string what = "requirement " + std::to_string(i + 1);
      TRY(policy.require(TRY(parse_requirement((*requirements)[i]).context(what))).context(what));
    }
  }
  revoked = TRY(parse_digests(document, "revoked"));
  return policy;
}

constexpr std::string_view kAlgorithm = "sha256:";

bool is_meant(const Rule& rule, const RuleSelection& selection) {
  switch (selection.which) {
    case RuleSelection::Which::all:
      return true;
    case RuleSelection::Which::any_identity:
      return !rule.identity_pattern;
    case RuleSelection::Which::pattern:
      return rule.identity_pattern == selection.pattern;
  }
  return false;
}

}  // namespace

Result<void> refuse_strange_members(const Json& object,
                                    std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    const std::string shown = '"' + key.substr(0, 100) + '"';
    if (std::ranges::find(known, key) == known.end())
      return Error(ErrorKind::unsupported, "unknown member " + shown);
    if (value.is_null())
      return Error(ErrorKind::malformed, shown + " is null; leave it out if that is meant");
  }
  return {};
}

Result<void> check_label(std::string_view label) {
  if (label.empty()) return Error(ErrorKind::invalid_argument, "the label is empty");
  if (label.size() > kMaxLabelSize)
    return Error(ErrorKind::invalid_argument,
                 "the label is longer than " + std::to_string(kMaxLabelSize) + " bytes");
  if (visible(label) != label || label.front() == ' ' || label.back() == ' ')
    return Error(ErrorKind::invalid_argument,
                 "the label has invisible characters, a backslash, or a space at its ends");
  return {};
}

Result<Policy> Policy::parse(ByteSpan text) {
  std::vector<Digest> revoked;
  auto policy = parse_policy(text, revoked);
  if (!policy) return about_file(std::move(policy).error());
  policy->revoked_ = std::move(revoked);
  return policy;
}

std::string Policy::to_text() const {
  Json document = {{"version", kVersion}, {"rules", Json::array()}};
  for (const Rule& rule : rules_) {
    Json item = Json::object();
    if (rule.key) item["key"] = rule.key->to_pem();
    if (rule.certificates) {
      item["certificates"] = rule.certificates->to_pem();
      if (!rule.certificates->subject.empty()) item["subject"] = rule.certificates->subject;
    }
    item["fingerprint"] = rule.fingerprint();
    if (!rule.label.empty()) item["label"] = rule.label;
    if (rule.identity_pattern) item["identity"] = *rule.identity_pattern;
    if (!rule.pins.empty()) item["pins"] = to_json(rule.pins);
    document["rules"].push_back(std::move(item));
  }
  for (const Requirement& requirement : requirements_)
    document["requirements"].push_back(to_json(requirement));
  document["revoked"] = to_json(revoked_);
  // Indented: people read and edit this file.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Rule::fingerprint() const {
  return key ? key->fingerprint() : certificates->fingerprint();
}

std::string Rule::kind() const {
  return key ? std::string(to_string(key->type())) : "certificates";
}

Result<void> Policy::require(Requirement requirement) {
  TRY(check_requirement(requirement));
  for (Requirement& present : requirements_) {
    if (present.identity_pattern != requirement.identity_pattern) continue;
    present = std::move(requirement);
    return {};
  }
  if (requirements_.size() == kMaxRules)
    return Error(ErrorKind::limit, "more than " + std::to_string(kMaxRules) + " requirements");
  requirements_.push_back(std::move(requirement));
  return {};
}

Result<void> Policy::drop_requirement(const std::optional<std::string>& identity_pattern) {
  const std::size_t removed = std::erase_if(requirements_, [&](const Requirement& requirement) {
    return requirement.identity_pattern == identity_pattern;
  });
  if (removed != 0) return {};
  return Error(ErrorKind::not_found,
               "no requirement for " +
                   (identity_pattern ? "'" + *identity_pattern + "'" : std::string("every image")));
}

bool Policy::is_revoked(const Digest& manifest) const {
  return std::ranges::find(revoked_, manifest) != revoked_.end();
}

std::string Policy::label_of(std::string_view fingerprint) const {
  for (const Rule& rule : rules_)
    if (!rule.label.empty() && rule.fingerprint() == fingerprint) return rule.label;
  return "";
}

Result<void> Policy::add(Rule rule) {
  if (rule.identity_pattern) TRY(check_identity_pattern(*rule.identity_pattern));
  if (!rule.label.empty()) TRY(check_label(rule.label));
  for (Rule& present : rules_) {
    const auto subject_of = [](const Rule& one) {
      return one.certificates ? one.certificates->subject : std::string();
    };
    if (present.fingerprint() != rule.fingerprint() || subject_of(present) != subject_of(rule) ||
        present.identity_pattern != rule.identity_pattern)
      continue;
    // Pins would narrow the existing rule, and a rule without pins would end the pinning: neither
    // is what "add" says.
    if (present.pins.empty() != rule.pins.empty())
      return Error(ErrorKind::exists, "key " + rule.fingerprint() + ": already trusted " +
                                          (present.pins.empty() ? "without pins" : "with pins") +
                                          "; remove that rule first (`intact trust rm`)");
    insert_missing(present.pins, rule.pins);
    if (!rule.label.empty()) present.label = std::move(rule.label);
    return {};
  }
  if (rules_.size() == kMaxRules)
    return Error(ErrorKind::limit, "more than " + std::to_string(kMaxRules) + " rules");
  rules_.push_back(std::move(rule));
  return {};
}

Result<std::string> Policy::remove(std::string_view key, const RuleSelection& selection) {
  const std::string shown = "'" + std::string(key.substr(0, 200)) + "'";
  std::string_view prefix = key;
  if (prefix.starts_with(kAlgorithm)) prefix.remove_prefix(kAlgorithm.size());
  if (prefix.empty()) return Error(ErrorKind::invalid_argument, "the fingerprint is empty");
  std::set<std::string> found;
  for (const Rule& rule : rules_) {
    std::string fingerprint = rule.fingerprint();
    if (rule.label == key ||
        std::string_view(fingerprint).substr(kAlgorithm.size()).starts_with(prefix))
      found.insert(std::move(fingerprint));
  }
  if (found.empty())
    return Error(ErrorKind::not_found,
                 shown + ": no trusted key has this label or a fingerprint that starts so");
  if (found.size() > 1)
    return Error(ErrorKind::invalid_argument,
                 shown + ": fits several trusted keys; give more of the fingerprint");
  const std::size_t removed = std::erase_if(rules_, [&](const Rule& rule) {
    return found.contains(rule.fingerprint()) && is_meant(rule, selection);
  });
  if (removed == 0)
    return Error(ErrorKind::not_found,
                 shown + ": the key has no such rule; `intact trust list` shows its rules");
  return *found.begin();
}

void Policy::revoke(const Digest& manifest) {
  insert_missing(revoked_, {manifest});
}

Result<void> Policy::unrevoke(const Digest& manifest) {
  if (std::erase(revoked_, manifest) != 0) return {};
  return Error(ErrorKind::not_found, manifest.to_string() + ": not revoked");
}

void Policy::append(Policy other) {
  // Equal rules are not merged: pins of one file must not widen a rule of another.
  for (Rule& rule : other.rules_) rules_.push_back(std::move(rule));
  // Nor are requirements: each narrows what is accepted.
  for (Requirement& requirement : other.requirements_)
    requirements_.push_back(std::move(requirement));
  insert_missing(revoked_, other.revoked_);
}

Result<void> check_new_rule(const Rule& rule) {
  if (!rule.identity_pattern) return {};
  TRY(check_identity_pattern(*rule.identity_pattern).context("--identity"));
  if (matches_any_registry(*rule.identity_pattern))
    return Error(ErrorKind::invalid_argument,
                 "--identity: '" + *rule.identity_pattern +
                     "' matches images of every registry, also of an attacker's; name one, as in "
                     "'HOST/**', or pass --any to trust the key for every image");
  return {};
}

}  // namespace intact::sign
