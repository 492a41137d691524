// Envelopes of the Notary Project in JSON (JWS, RFC 7515, flattened).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/crypto/base64.h>
#include <intact/json/json.h>
#include <intact/sign/signed_time.h>

#include "go_json.h"
#include "notation_envelopes.h"

namespace intact::sign {
namespace {

Result<std::vector<Bytes>> parse_certificates(const Json& document) {
  const Json& header = *TRY(require_object(document, "header"));
  const Json& list = *TRY(require_array(header, "x5c"));
  if (list.empty() || list.size() > crypto::kMaxChain)
    return Error(ErrorKind::limit, "not one to 8 certificates");
  std::vector<Bytes> certificates;
  for (const Json& item : list) {
    if (!item.is_string()) return Error(ErrorKind::malformed, "a certificate is not a string");
    certificates.push_back(TRY(crypto::decode_base64(item.get_ref<const std::string&>())));
  }
  return certificates;
}

Result<std::vector<std::string>> parse_critical(const Json& header) {
  std::vector<std::string> critical;
  for (const Json& item : *TRY(require_array(header, "crit"))) {
    if (!item.is_string()) return Error(ErrorKind::malformed, "\"crit\" is not a list of strings");
    critical.push_back(item.get<std::string>());
    if (!header.contains(critical.back()))
      return Error(ErrorKind::malformed, "a critical attribute is missing");
  }
  return critical;
}

Result<NotationEnvelope> parse(ByteSpan json) {
  const Json document =
      TRY(parse_json(json, {.bytes = kMaxNotationSize, .depth = 8, .values = 1000}));
  const std::string payload = TRY(require_string(document, "payload"));
  const std::string protected_text = TRY(require_string(document, "protected"));
  const std::string signature = TRY(require_string(document, "signature"));
  // The form with several signatures has other members, and readers differ on both at once.
  if (document.contains("signatures"))
    return Error(ErrorKind::malformed, "has \"signatures\" as well");

  const Bytes protected_json = TRY(crypto::decode_base64url(protected_text).context("protected"));
  const Json header =
      TRY(parse_json(protected_json, {.bytes = kMaxNotationSize, .depth = 8, .values = 1000}));
  TRY(check_attributes(TRY(require_string(header, kSchemeAttribute)),
                       TRY(require_string(header, "cty")), TRY(parse_critical(header))));
  if (header.contains(kPluginAttribute))
    return Error(ErrorKind::unsupported, "needs a plugin to be verified");
  const NotationAlgorithm algorithm = TRY(algorithm_named(TRY(require_string(header, "alg"))));
  NotationEnvelope envelope{
      .message = to_bytes(protected_text + "." + payload),
      .scheme = algorithm.scheme,
      .signature = TRY(unpack_signature(
          algorithm, TRY(crypto::decode_base64url(signature).context("signature")))),
      .certificates = TRY(parse_certificates(document)),
      .payload = TRY(crypto::decode_base64url(payload).context("payload")),
      .signing_time = TRY(parse_time(TRY(require_string(header, kTimeAttribute))))};
  if (const auto expiry = TRY(optional_string(header, kExpiryAttribute)))
    envelope.expiry = TRY(parse_time(*expiry));
  return envelope;
}

}  // namespace

Result<NotationEnvelope> parse_notation_jws(ByteSpan json) {
  return parse(json).context("JWS envelope");
}

Result<Bytes> write_jws(const NotationAlgorithm& algorithm, ByteSpan payload,
                        const crypto::CertificateChain& chain, const std::string& time,
                        const SignMessage& sign) {
  const std::string header = fmt::format(
      R"({{"alg":"{}","crit":["{}"],"cty":"{}","{}":"{}","{}":"{}"}})", algorithm.jws,
      kSchemeAttribute, kPayloadType, kSchemeAttribute, kX509Scheme, kTimeAttribute, time);
  const std::string protected_text = crypto::encode_base64url(as_bytes(header));
  const std::string payload_text = crypto::encode_base64url(payload);
  const Bytes signature = TRY(sign(to_bytes(protected_text + "." + payload_text)));
  std::vector<std::string> certificates;
  for (const crypto::Certificate& certificate : chain.certificates())
    certificates.push_back("\"" + crypto::encode_base64(certificate.der()) + "\"");
  return to_bytes(fmt::format(
      R"({{"payload":"{}","protected":"{}","header":{{"x5c":[{}],"{}":"{}"}},"signature":"{}"}})",
      payload_text, protected_text, fmt::join(certificates, ","), kAgentAttribute, kSigningAgent,
      crypto::encode_base64url(signature)));
}

}  // namespace intact::sign
