#include <algorithm>
#include <string_view>
#include <vector>

#include <intact/crypto/base64.h>
#include <intact/json/json.h>
#include <intact/sign/local_seal.h>
#include <intact/sign/statement.h>

namespace intact::sign {
namespace {

constexpr std::string_view kType = "application/vnd.intact.local-seal.v1+json";
constexpr std::uint64_t kVersion = 1;
constexpr JsonLimits kLimits{.bytes = kMaxLocalSealSize, .depth = 4, .values = 64};
constexpr Basis kBases[] = {Basis::none, Basis::signature, Basis::pin, Basis::first_use};

/// Exactly these members: one that we do not know might narrow what the seal says.
Result<void> require_members(const Json& object, const std::vector<std::string_view>& names) {
  if (!object.is_object() || object.size() != names.size() ||
      !std::ranges::all_of(names, [&](std::string_view name) { return object.contains(name); }))
    return Error(ErrorKind::malformed, "not the members that a local seal has");
  return {};
}

Result<Basis> parse_basis(std::string_view text) {
  const auto* const found =
      std::ranges::find(kBases, text, [](Basis basis) { return to_string(basis); });
  if (found == std::end(kBases)) return Error(ErrorKind::malformed, "an unknown basis");
  return *found;
}

Result<LocalSeal> parse_seal_statement(ByteSpan payload) {
  const Json json = TRY(parse_json(payload, kLimits));
  const Basis basis = TRY(parse_basis(TRY(require_string(json, "basis"))));
  std::vector<std::string_view> members{"version", "name",    "manifest", "image",
                                        "format",  "created", "basis"};
  if (basis == Basis::signature) members.emplace_back("signer");
  const bool has_base = json.contains("base");
  if (has_base) members.emplace_back("base");
  TRY(require_members(json, members));
  if (TRY(require_uint(json, "version")) != kVersion)
    return Error(ErrorKind::unsupported, "of another version than 1");
  const std::string manifest = TRY(require_string(json, "manifest"));
  const std::string image = TRY(require_string(json, "image"));
  LocalSeal seal{.name = TRY(require_string(json, "name")),
                 .manifest = TRY(Digest::parse(manifest)),
                 .image = TRY(Digest::parse(image)),
                 .format = TRY(require_string(json, "format")),
                 .created = static_cast<std::int64_t>(TRY(require_uint(json, "created"))),
                 .basis = basis};
  if (basis == Basis::signature) {
    seal.signer = TRY(require_string(json, "signer"));
    TRY(Digest::parse(seal.signer).context("signer"));
  }
  if (has_base) seal.base = TRY(Digest::parse(TRY(require_string(json, "base"))).context("base"));
  return seal;
}

struct SealEnvelope {
  Bytes payload;
  Bytes signature;
};

Result<SealEnvelope> parse_seal_envelope(ByteSpan document) {
  const Json json = TRY(parse_json(document, kLimits));
  TRY(require_members(json, {"payloadType", "payload", "signatures"}));
  if (TRY(require_string(json, "payloadType")) != kType)
    return Error(ErrorKind::malformed, "not of the type of a local seal");
  const Json& signatures = *TRY(require_array(json, "signatures"));
  if (signatures.size() != 1) return Error(ErrorKind::malformed, "not exactly one signature");
  TRY(require_members(signatures.front(), {"sig"}));
  const std::string payload = TRY(require_string(json, "payload"));
  const std::string signature = TRY(require_string(signatures.front(), "sig"));
  return SealEnvelope{TRY(crypto::decode_base64(payload)), TRY(crypto::decode_base64(signature))};
}

}  // namespace

std::string_view to_string(Basis basis) {
  switch (basis) {
    case Basis::signature:
      return "signature";
    case Basis::pin:
      return "pin";
    case Basis::first_use:
      return "first-use";
    case Basis::none:
      break;
  }
  return "none";
}

Result<Bytes> make_local_seal(const LocalSeal& seal, const MachineKey& key) {
  Json statement{{"version", kVersion},
                 {"name", seal.name},
                 {"manifest", seal.manifest.to_string()},
                 {"image", seal.image.to_string()},
                 {"format", seal.format},
                 {"created", seal.created},
                 {"basis", to_string(seal.basis)}};
  if (seal.basis == Basis::signature) statement["signer"] = seal.signer;
  if (seal.base) statement["base"] = seal.base->to_string();
  const std::string payload = to_text(statement);
  const Bytes signature = TRY(key.sign(signed_bytes(kType, as_bytes(payload))));
  const Json envelope{
      {"payloadType", kType},
      {"payload", crypto::encode_base64(as_bytes(payload))},
      {"signatures", Json::array({Json{{"sig", crypto::encode_base64(signature)}}})}};
  return to_bytes(to_text(envelope));
}

Result<LocalSeal> open_local_seal(ByteSpan document, const std::vector<MachinePublicKey>& keys) {
  const SealEnvelope envelope = TRY(parse_seal_envelope(document).context("local seal"));
  const Bytes message = signed_bytes(kType, envelope.payload);
  const bool is_ours = std::ranges::any_of(
      keys, [&](const MachinePublicKey& key) { return key.verify(message, envelope.signature); });
  if (!is_ours) return Error(ErrorKind::untrusted, "local seal: not signed by this machine");
  return parse_seal_statement(envelope.payload).context("local seal");
}

Result<LocalSeal> read_local_seal_unverified(ByteSpan document) {
  const SealEnvelope envelope = TRY(parse_seal_envelope(document).context("local seal"));
  return parse_seal_statement(envelope.payload).context("local seal");
}

}  // namespace intact::sign
