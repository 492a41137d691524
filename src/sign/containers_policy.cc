#include "containers_policy.h"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/base/trusted_file.h>
#include <intact/base/visible.h>
#include <intact/crypto/base64.h>
#include <intact/json/json.h>
#include <intact/sign/identity.h>

namespace intact::sign {
namespace {

using SignedIdentity = ContainersPolicy::SignedIdentity;
using Requirement = ContainersPolicy::Requirement;

constexpr std::string_view kRegistries = "docker";
constexpr std::string_view kFiles[] = {"oci", "oci-archive", "docker-archive"};
constexpr std::size_t kMaxRequirements = 32;  // of one scope
constexpr std::size_t kMaxKeys = 64;          // of one requirement

/// containers/image refuses members that it does not know, since one may have been misspelled.
Result<void> only_members(const Json& object, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) return Error(ErrorKind::malformed, "not an object");
  for (const auto& [name, value] : object.items())
    if (std::ranges::find(names, name) == names.end())
      return Error(ErrorKind::malformed, "unknown member '" + visible(name.substr(0, 100)) + "'");
  return {};
}

Result<SignedIdentity> parse_signed_identity(const Json& object) {
  using Kind = SignedIdentity::Kind;
  const std::string type = TRY(require_string(object, "type"));
  for (const auto& [name, kind] :
       {std::pair("matchExact", Kind::match_exact),
        std::pair("matchRepoDigestOrExact", Kind::match_repo_digest_or_exact),
        std::pair("matchRepository", Kind::match_repository)}) {
    if (type != name) continue;
    TRY(only_members(object, {"type"}));
    return SignedIdentity{.kind = kind};
  }
  SignedIdentity identity;
  if (type == "exactReference" || type == "exactRepository") {
    const bool whole = type == "exactReference";
    const char* const member = whole ? "dockerReference" : "dockerRepository";
    TRY(only_members(object, {"type", member}));
    identity.kind = whole ? Kind::exact_reference : Kind::exact_repository;
    identity.value = TRY(require_string(object, member));
    const Identity parsed = TRY(parse_identity(identity.value).context(member));
    const bool is_whole = !parsed.tag.empty() || parsed.digest;
    if (is_whole != whole)
      return Error(ErrorKind::malformed,
                   std::string(member) + (whole ? ": without a tag or digest" : ": has a tag"));
    return identity;
  }
  if (type == "remapIdentity") {
    TRY(only_members(object, {"type", "prefix", "signedPrefix"}));
    identity.kind = Kind::remap_identity;
    identity.value = TRY(require_string(object, "prefix"));
    identity.signed_prefix = TRY(require_string(object, "signedPrefix"));
    if (identity.value.empty() || identity.signed_prefix.empty())
      return Error(ErrorKind::malformed, "an empty prefix");
    return identity;
  }
  return Error(ErrorKind::unsupported, "unknown type '" + visible(type.substr(0, 100)) + "'");
}

Result<void> add_key_data(const std::string& text, Requirement& requirement) {
  const Bytes pem = TRY(crypto::decode_base64(text).context("keyData"));
  requirement.keys.emplace_back(as_text(pem));
  TRY(PublicKey::from_pem(requirement.keys.back()).context("keyData"));
  return {};
}

/// The strings of a list that is not empty.
Result<std::vector<std::string>> texts_of(const Json& object, const char* member) {
  std::vector<std::string> texts;
  for (const Json& text : *TRY(require_array(object, member))) {
    if (!text.is_string())
      return Error(ErrorKind::malformed, std::string(member) + ": not a list of strings");
    texts.push_back(text.get<std::string>());
  }
  if (texts.empty() || texts.size() > kMaxKeys)
    return Error(ErrorKind::malformed, fmt::format("{}: not 1 to {} keys", member, kMaxKeys));
  return texts;
}

Result<Requirement> parse_sigstore(const Json& object) {
  Requirement requirement{.type = Requirement::Type::sigstore_signed};
  TRY(only_members(object, {"type", "keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki",
                            "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData",
                            "rekorPublicKeyDatas", "signedIdentity"}));
  std::size_t sources = 0;
  for (const char* const member : {"keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki"})
    sources += object.contains(member);
  if (sources != 1)
    return Error(ErrorKind::malformed,
                 "not exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki");
  if (object.contains("keyPath"))
    requirement.key_files.push_back(TRY(require_string(object, "keyPath")));
  if (object.contains("keyPaths")) requirement.key_files = TRY(texts_of(object, "keyPaths"));
  if (object.contains("keyData"))
    TRY(add_key_data(TRY(require_string(object, "keyData")), requirement));
  if (object.contains("keyDatas"))
    for (const std::string& text : TRY(texts_of(object, "keyDatas")))
      TRY(add_key_data(text, requirement));
  if (const Json* const identity = TRY(optional_object(object, "signedIdentity")))
    requirement.identity = TRY(parse_signed_identity(*identity).context("signedIdentity"));
  for (const char* const member : {"fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyPaths",
                                   "rekorPublicKeyData", "rekorPublicKeyDatas"}) {
    if (!object.contains(member)) continue;
    requirement.type = Requirement::Type::unsupported;
    requirement.unsupported = fmt::format("sigstoreSigned with {}", member);
  }
  return requirement;
}

Result<Requirement> parse_one(const Json& object) {
  const std::string type = TRY(require_string(object, "type"));
  if (type == "insecureAcceptAnything" || type == "reject") {
    TRY(only_members(object, {"type"}));
    return Requirement{.type = type == "reject" ? Requirement::Type::reject
                                                : Requirement::Type::accept_anything};
  }
  if (type == "signedBy")
    return Requirement{.type = Requirement::Type::unsupported,
                       .unsupported = "signedBy (GPG keys)"};
  if (type == "sigstoreSigned") return parse_sigstore(object);
  return Error(ErrorKind::unsupported,
               "unknown type of requirement '" + visible(type.substr(0, 100)) + "'");
}

Result<std::vector<Requirement>> parse_list(const Json& list) {
  if (!list.is_array() || list.empty() || list.size() > kMaxRequirements)
    return Error(ErrorKind::malformed,
                 fmt::format("not a list of 1 to {} requirements", kMaxRequirements));
  std::vector<Requirement> requirements;
  requirements.reserve(list.size());
  for (const Json& item : list)
    requirements.push_back(
        TRY(parse_one(item).context(fmt::format("requirement {}", requirements.size() + 1))));
  return requirements;
}

/// REPO[:TAG] of an image, in the one spelling of its repository.
struct Name {
  std::string repository;
  std::string tag;
  std::optional<Digest> digest;
};
std::optional<Name> name_of(std::string_view text) {
  auto parsed = parse_identity(text);
  if (!parsed) return std::nullopt;
  return Name{canonical_repository(parsed->repository), std::move(parsed->tag), parsed->digest};
}

bool same_reference(const Name& one, const Name& other) {
  return one.repository == other.repository && one.tag == other.tag && one.digest == other.digest;
}

bool repo_digest_or_exact(const Name& image, const Name& identity) {
  return image.tag.empty() ? image.repository == identity.repository
                           : same_reference(image, identity);
}

/// Which scopes fit an image, the most specific first, but for the one of the whole transport.
std::vector<std::string> scopes_of(const Name& image, const Digest& digest) {
  std::vector<std::string> scopes;
  if (!image.tag.empty()) scopes.push_back(image.repository + ":" + image.tag);
  scopes.push_back(image.repository + "@" + digest.to_string());
  std::string prefix = image.repository;
  for (;;) {
    scopes.push_back(prefix);
    const std::size_t slash = prefix.rfind('/');
    if (slash == std::string::npos) break;
    prefix.resize(slash);
  }
  // "*.example.com" is for all hosts below example.com. The rest is the host, with its port.
  for (std::size_t dot = prefix.find('.'); dot != std::string::npos;
       dot = prefix.find('.', dot + 1))
    scopes.push_back("*" + prefix.substr(dot));
  return scopes;
}

}  // namespace

bool SignedIdentity::matches(std::string_view image_text, std::string_view identity_text) const {
  const auto identity = name_of(identity_text);
  if (!identity) return false;
  if (kind == Kind::exact_reference || kind == Kind::exact_repository) {
    const auto wanted = name_of(value);
    if (!wanted) return false;
    return kind == Kind::exact_reference ? same_reference(*wanted, *identity)
                                         : wanted->repository == identity->repository;
  }
  auto image = name_of(image_text);
  if (!image) return false;
  switch (kind) {
    case Kind::match_exact:
      return !image->tag.empty() && same_reference(*image, *identity);
    case Kind::match_repository:
      return image->repository == identity->repository;
    case Kind::remap_identity:
      if (image->repository == value || image->repository.starts_with(value + "/"))
        image->repository = signed_prefix + image->repository.substr(value.size());
      return repo_digest_or_exact(*image, *identity);
    default:
      return repo_digest_or_exact(*image, *identity);
  }
}

Result<ContainersPolicy> ContainersPolicy::load(const std::string& file) {
  auto fd = open_trusted_file(file, TrustedOwner::root_or_self, Removable::anywhere);
  if (!fd && fd.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::untrusted, fd.error().message());
  const UniqueFd opened = TRY(std::move(fd));
  return parse(TRY(read_fd(opened.get(), kMaxSize).context(file))).context(file);
}

Result<ContainersPolicy> ContainersPolicy::parse(ByteSpan text) {
  const Json json = TRY(parse_json(text, {.bytes = kMaxSize, .depth = 16, .values = 100'000}));
  TRY(only_members(json, {"default", "transports"}));
  ContainersPolicy policy;
  policy.default_ = TRY(parse_list(*TRY(require_array(json, "default"))).context("default"));
  if (!json.contains("transports")) return policy;
  // Null would be as good as absent elsewhere; here it may be what is left of rules.
  const Json& transports = json["transports"];
  if (!transports.is_object()) return Error(ErrorKind::malformed, "transports: not an object");
  for (const auto& [transport, scopes] : transports.items()) {
    if (!scopes.is_object())
      return Error(ErrorKind::malformed, visible(transport) + ": not an object of scopes");
    Scopes& known = policy.transports_[transport];
    for (const auto& [scope, list] : scopes.items())
      known[scope] =
          TRY(parse_list(list).context(visible(transport) + " '" + visible(scope) + "'"));
  }
  return policy;
}

Result<ContainersPolicy::Decision> ContainersPolicy::decide(const std::string& image,
                                                            const Digest& manifest) const {
  if (image.empty()) {
    // Where it is then is not remembered, so what is meant for it cannot be told.
    const auto other = std::ranges::find_if(transports_, [](const auto& transport) {
      return std::ranges::find(kFiles, transport.first) != std::end(kFiles);
    });
    if (other == transports_.end()) return Decision{"default", default_};
    return Error(ErrorKind::unsupported,
                 fmt::format("the signature policy has scopes of the transport '{}', which are not "
                             "supported, and the image is not from a registry",
                             visible(other->first)));
  }
  const auto name = name_of(image);
  const auto transport = transports_.find(kRegistries);
  if (!name || transport == transports_.end()) return Decision{"default", default_};
  std::vector<std::string> scopes = scopes_of(*name, manifest);
  scopes.emplace_back();
  for (const std::string& scope : scopes) {
    const auto found = transport->second.find(scope);
    if (found != transport->second.end())
      return Decision{fmt::format("{} '{}'", kRegistries, visible(scope)), found->second};
  }
  return Decision{"default", default_};
}

bool ContainersPolicy::rejects(const std::string& image, const Digest& digest) const {
  const auto name = name_of(image);
  const auto transport = transports_.find(kRegistries);
  if (!name || transport == transports_.end()) return false;
  const auto found = transport->second.find(name->repository + "@" + digest.to_string());
  return found != transport->second.end() &&
         std::ranges::any_of(found->second, [](const Requirement& requirement) {
           return requirement.type == Requirement::Type::reject;
         });
}

Result<std::vector<PublicKey>> load_keys(const ContainersPolicy::Requirement& requirement) {
  std::vector<PublicKey> keys;
  keys.reserve(requirement.key_files.size() + requirement.keys.size());
  for (const std::string& file : requirement.key_files)
    keys.push_back(TRY(PublicKey::load(file).context("signature policy")));
  for (const std::string& pem : requirement.keys)
    keys.push_back(TRY(PublicKey::from_pem(pem).context("signature policy")));
  return keys;
}

}  // namespace intact::sign
