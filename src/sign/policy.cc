#include <algorithm>
#include <set>

#include <intact/json/json.h>
#include <intact/sign/identity.h>
#include <intact/sign/policy.h>

namespace intact::sign {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxPolicySize = 4 * 1024 * 1024;  // bytes
constexpr std::size_t kMaxDigests = 10'000;              // in one list

/// A member that we do not know may narrow what is trusted, so it cannot be passed over.
Result<void> refuse_unknown_members(const Json& object,
                                    std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end())
      return Error(ErrorKind::unsupported, "unknown member \"" + key.substr(0, 100) + "\"");
  return {};
}

Result<std::vector<Digest>> parse_digests(const Json& object, std::string_view key) {
  std::vector<Digest> digests;
  const Json* const list = TRY(optional_array(object, key));
  if (!list) return digests;
  if (list->size() > kMaxDigests) return Error(ErrorKind::limit, "too many digests");
  for (const Json& item : *list) {
    if (!item.is_string()) return Error(ErrorKind::malformed, std::string(key) + " not of strings");
    digests.push_back(TRY(Digest::parse(item.get_ref<const std::string&>())));
  }
  return digests;
}

Result<Rule> parse_rule(const Json& item) {
  if (!item.is_object()) return Error(ErrorKind::malformed, "a rule is not an object");
  TRY(refuse_unknown_members(item, {"key", "fingerprint", "identity", "pins"}));
  const std::string pem = TRY(require_string(item, "key"));
  Rule rule{.key = TRY(PublicKey::from_pem(pem)), .identity_pattern = {}, .pins = {}};
  // People read the fingerprint and the program the key: they must be the same one.
  if (TRY(require_string(item, "fingerprint")) != rule.key.fingerprint())
    return Error(ErrorKind::malformed,
                 "the fingerprint is not the key's, which is " + rule.key.fingerprint());
  rule.identity_pattern = TRY(optional_string(item, "identity")).value_or("");
  rule.pins = TRY(parse_digests(item, "pins"));
  return rule;
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

}  // namespace

Result<Policy> Policy::parse(ByteSpan text) {
  const Json document =
      TRY(parse_json(text, {.bytes = kMaxPolicySize, .depth = 16, .values = 100'000}));
  if (!document.is_object()) return Error(ErrorKind::malformed, "not a JSON object");
  if (TRY(require_uint(document, "version")) != kVersion)
    return Error(ErrorKind::unsupported, "a policy of another version than 1");
  TRY(refuse_unknown_members(document, {"version", "rules", "revoked"}));
  Policy policy;
  if (const Json* const rules = TRY(optional_array(document, "rules"))) {
    for (std::size_t i = 0; i < rules->size(); ++i) {
      Rule rule = TRY(parse_rule((*rules)[i]).context("rule " + std::to_string(i + 1)));
      TRY(policy.add(std::move(rule)).context("rule " + std::to_string(i + 1)));
    }
  }
  policy.revoked_ = TRY(parse_digests(document, "revoked"));
  return policy;
}

std::string Policy::to_text() const {
  Json document = {{"version", kVersion}, {"rules", Json::array()}};
  for (const Rule& rule : rules_) {
    Json item = {{"key", rule.key.to_pem()}, {"fingerprint", rule.key.fingerprint()}};
    if (!rule.identity_pattern.empty()) item["identity"] = rule.identity_pattern;
    if (!rule.pins.empty()) item["pins"] = to_json(rule.pins);
    document["rules"].push_back(std::move(item));
  }
  document["revoked"] = to_json(revoked_);
  // Indented: people read and edit this file.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool Policy::is_revoked(const Digest& manifest) const {
  return std::ranges::find(revoked_, manifest) != revoked_.end();
}

Result<void> Policy::add(Rule rule) {
  if (!rule.identity_pattern.empty()) TRY(check_identity_pattern(rule.identity_pattern));
  for (Rule& present : rules_) {
    if (present.key.fingerprint() != rule.key.fingerprint() ||
        present.identity_pattern != rule.identity_pattern)
      continue;
    // Pins would take trust from the rule there is, and a rule without would end the pinning:
    // neither is what "add" says.
    if (present.pins.empty() != rule.pins.empty())
      return Error(ErrorKind::exists,
                   "key " + rule.key.fingerprint() + " is trusted " +
                       (present.pins.empty() ? "without pins" : "with pins only") +
                       " already: remove it first (`intact trust rm`)");
    insert_missing(present.pins, rule.pins);
    return {};
  }
  if (rules_.size() == kMaxRules)
    return Error(ErrorKind::limit, "more than " + std::to_string(kMaxRules) + " rules");
  rules_.push_back(std::move(rule));
  return {};
}

Result<std::string> Policy::remove(std::string_view fingerprint_prefix) {
  constexpr std::string_view kAlgorithm = "sha256:";
  const std::string shown(fingerprint_prefix.substr(0, 200));
  if (fingerprint_prefix.starts_with(kAlgorithm))
    fingerprint_prefix.remove_prefix(kAlgorithm.size());
  if (fingerprint_prefix.empty())
    return Error(ErrorKind::invalid_argument, "the fingerprint is empty");
  std::set<std::string> found;
  for (const Rule& rule : rules_) {
    std::string fingerprint = rule.key.fingerprint();
    if (std::string_view(fingerprint).substr(kAlgorithm.size()).starts_with(fingerprint_prefix))
      found.insert(std::move(fingerprint));
  }
  if (found.empty())
    return Error(ErrorKind::not_found, "no trusted key has a fingerprint like '" + shown + "'");
  if (found.size() > 1)
    return Error(ErrorKind::invalid_argument,
                 "several trusted keys have a fingerprint like '" + shown + "': give more of it");
  std::erase_if(rules_, [&](const Rule& rule) { return found.contains(rule.key.fingerprint()); });
  return *found.begin();
}

void Policy::revoke(const Digest& manifest) {
  insert_missing(revoked_, {manifest});
}

Result<void> Policy::unrevoke(const Digest& manifest) {
  if (std::erase(revoked_, manifest) != 0) return {};
  return Error(ErrorKind::not_found, manifest.to_string() + " is not revoked");
}

void Policy::append(Policy other) {
  // Rules stay apart even if they are alike: pins of one file must not widen a rule of another.
  for (Rule& rule : other.rules_) rules_.push_back(std::move(rule));
  insert_missing(revoked_, other.revoked_);
}

}  // namespace intact::sign
