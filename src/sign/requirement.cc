// What a policy requires of images besides a signature.
#include <algorithm>

#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/sign/identity.h>
#include <intact/sign/policy.h>
#include <intact/sign/signed_time.h>

#include "claims.h"
#include "requirement_json.h"

namespace intact::sign {
namespace {

constexpr std::size_t kMaxSigners = 100;
constexpr std::size_t kMaxAttestations = 32;

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr Unit kUnits[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

Error invalid(std::string text) {
  return Error(ErrorKind::invalid_argument, std::move(text));
}

Result<void> read_numbers(const Json& item, Requirement& requirement) {
  if (const auto signers = TRY(optional_uint(item, "signers")))
    requirement.signers = static_cast<std::size_t>(std::min<std::uint64_t>(*signers, UINT32_MAX));
  if (const auto age = TRY(optional_string(item, "max_age")))
    requirement.max_age = TRY(parse_age(*age).context("max_age"));
  requirement.min_serial = TRY(optional_uint(item, "min_serial"));
  if (const auto time = TRY(optional_string(item, "not_before")))
    requirement.not_before = TRY(parse_time(*time).context("not_before"));
  return {};
}

}  // namespace

Result<std::int64_t> parse_age(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.letter)) continue;
    const auto number = parse_serial(text.substr(0, text.size() - 1));
    if (!number || *number == 0 || *number > 1'000'000'000) break;
    return static_cast<std::int64_t>(*number) * unit.seconds;
  }
  return invalid("not an age such as 90d, 12h, 30m or 45s");
}

std::string attestation_type(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"custom", "https://cosign.sigstore.dev/attestation/v1"},
      {"vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"},
      {"slsaprovenance", "https://slsa.dev/provenance/v0.2"},
      {"slsaprovenance02", "https://slsa.dev/provenance/v0.2"},
      {"slsaprovenance1", "https://slsa.dev/provenance/v1"},
      {"spdx", "https://spdx.dev/Document"},
      {"spdxjson", "https://spdx.dev/Document"},
      {"cyclonedx", "https://cyclonedx.org/bom"},
      {"link", "https://in-toto.io/Link/v1"},
      {"openvex", "https://openvex.dev/ns"},
  };
  for (const auto& [known, type] : kNames)
    if (name == known) return std::string(type);
  return std::string(name);
}

Result<void> check_requirement(const Requirement& requirement) {
  if (requirement.identity_pattern) TRY(check_identity_pattern(*requirement.identity_pattern));
  if (requirement.signers == 0 || requirement.signers > kMaxSigners)
    return invalid(fmt::format("the number of signers is not 1 to {}", kMaxSigners));
  if (requirement.attestations.size() > kMaxAttestations)
    return Error(ErrorKind::limit, fmt::format("more than {} attestations", kMaxAttestations));
  if (std::ranges::any_of(requirement.attestations, &std::string::empty))
    return invalid("the type of an attestation is empty");
  return {};
}

Result<Requirement> parse_requirement(const Json& item) {
  if (!item.is_object()) return Error(ErrorKind::malformed, "not an object");
  TRY(refuse_strange_members(
      item, {"identity", "signers", "attestations", "max_age", "min_serial", "not_before"}));
  Requirement requirement;
  requirement.identity_pattern = TRY(optional_string(item, "identity"));
  TRY(read_numbers(item, requirement));
  if (const Json* const types = TRY(optional_array(item, "attestations"))) {
    for (const Json& type : *types) {
      if (!type.is_string())
        return Error(ErrorKind::malformed, "\"attestations\" is not a list of strings");
      requirement.attestations.push_back(attestation_type(type.get_ref<const std::string&>()));
    }
  }
  return requirement;
}

std::string describe(const Requirement& requirement) {
  std::string text = requirement.identity_pattern
                         ? fmt::format("of '{}': ", *requirement.identity_pattern)
                         : "of every image: ";
  text += requirement.signers == 1 ? "1 signer" : fmt::format("{} signers", requirement.signers);
  for (const std::string& type : requirement.attestations) text += ", attestation " + visible(type);
  if (requirement.max_age) text += fmt::format(", at most {} seconds old", *requirement.max_age);
  if (requirement.min_serial) text += fmt::format(", serial {} or more", *requirement.min_serial);
  if (requirement.not_before) text += ", signed after " + format_time(*requirement.not_before);
  return text;
}

Json to_json(const Requirement& requirement) {
  Json item = Json::object();
  if (requirement.identity_pattern) item["identity"] = *requirement.identity_pattern;
  if (requirement.signers != 1) item["signers"] = requirement.signers;
  if (!requirement.attestations.empty()) item["attestations"] = requirement.attestations;
  if (requirement.max_age) item["max_age"] = fmt::format("{}s", *requirement.max_age);
  if (requirement.min_serial) item["min_serial"] = *requirement.min_serial;
  if (requirement.not_before) item["not_before"] = format_time(*requirement.not_before);
  return item;
}

}  // namespace intact::sign
