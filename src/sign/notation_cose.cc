// Envelopes of the Notary Project in CBOR (COSE_Sign1, RFC 9052).
#include "cbor_item.h"
#include "notation_envelopes.h"

namespace intact::sign {
namespace {

using Type = Cbor::Type;

constexpr std::uint64_t kSign1Tag = 18;
constexpr std::uint64_t kEpochTag = 1;
// Labels of headers.
constexpr std::uint64_t kAlgorithm = 1;
constexpr std::uint64_t kCritical = 2;
constexpr std::uint64_t kContentType = 3;
constexpr std::uint64_t kChain = 33;

Error malformed(std::string text) {
  return Error(ErrorKind::malformed, std::move(text));
}

/// What the signature covers.
Bytes signed_structure(ByteSpan protected_bytes, ByteSpan payload) {
  return CborWriter()
      .array(4)
      .text("Signature1")
      .bytes(protected_bytes)
      .bytes({})
      .bytes(payload)
      .take();
}

Result<std::int64_t> parse_epoch(const Cbor* value) {
  if (!value || !value->is(Type::tag) || value->number != kEpochTag ||
      !value->items.front().is(Type::unsigned_integer) ||
      value->items.front().number > std::uint64_t{1} << 40)
    return malformed("a time is missing or not one");
  return static_cast<std::int64_t>(value->items.front().number);
}

Result<std::vector<Bytes>> parse_certificates(const Cbor& unprotected) {
  const Cbor* const chain = find_number_key(unprotected, kChain);
  std::vector<Bytes> certificates;
  if (chain && chain->is(Type::bytes)) {
    certificates.push_back(chain->bytes);
  } else if (chain && chain->is(Type::array)) {
    for (const Cbor& item : chain->items) {
      if (!item.is(Type::bytes)) return malformed("a certificate is not a byte string");
      certificates.push_back(item.bytes);
    }
  }
  if (certificates.empty() || certificates.size() > crypto::kMaxChain)
    return Error(ErrorKind::limit, "not one to 8 certificates");
  return certificates;
}

/// The names in "crit". Numbers are those of headers that every reader knows.
Result<std::vector<std::string>> parse_critical(const Cbor& headers) {
  const Cbor* const list = find_number_key(headers, kCritical);
  if (!list || !list->is(Type::array)) return malformed("\"crit\" is missing or not a list");
  std::vector<std::string> critical;
  for (const Cbor& item : list->items) {
    if (item.is(Type::unsigned_integer) &&
        (item.number == kAlgorithm || item.number == kContentType))
      continue;
    if (!item.is(Type::text)) return Error(ErrorKind::unsupported, "an unknown critical attribute");
    if (!find_text_key(headers, item.text)) return malformed("a critical attribute is missing");
    critical.push_back(item.text);
  }
  return critical;
}

std::string text_of(const Cbor* value) {
  return value && value->is(Type::text) ? value->text : "";
}

Result<NotationAlgorithm> parse_algorithm(const Cbor& headers) {
  const Cbor* const value = find_number_key(headers, kAlgorithm);
  if (!value || !value->is(Type::negative_integer) || value->number > 1000)
    return Error(ErrorKind::unsupported, "an unknown signature algorithm");
  return algorithm_numbered(-1 - static_cast<std::int64_t>(value->number));
}

Result<NotationEnvelope> parse(ByteSpan cbor) {
  if (cbor.size() > kMaxNotationSize) return Error(ErrorKind::limit, "too large");
  const Cbor document = TRY(parse_cbor(cbor));
  if (!document.is(Type::tag) || document.number != kSign1Tag ||
      !document.items.front().is(Type::array) || document.items.front().items.size() != 4)
    return malformed("not a COSE_Sign1 message");
  const std::vector<Cbor>& parts = document.items.front().items;
  if (!parts[0].is(Type::bytes) || !parts[1].is(Type::map) || !parts[2].is(Type::bytes) ||
      !parts[3].is(Type::bytes))
    return malformed("not a COSE_Sign1 message with its payload");
  const Cbor headers = TRY(parse_cbor(parts[0].bytes));
  if (!headers.is(Type::map)) return malformed("the protected headers are not a map");
  TRY(check_attributes(text_of(find_text_key(headers, kSchemeAttribute)),
                       text_of(find_number_key(headers, kContentType)),
                       TRY(parse_critical(headers))));
  if (find_text_key(headers, kPluginAttribute))
    return Error(ErrorKind::unsupported, "needs a plugin to be verified");
  const NotationAlgorithm algorithm = TRY(parse_algorithm(headers));
  NotationEnvelope envelope{
      .message = signed_structure(parts[0].bytes, parts[2].bytes),
      .scheme = algorithm.scheme,
      .signature = TRY(unpack_signature(algorithm, parts[3].bytes)),
      .certificates = TRY(parse_certificates(parts[1])),
      .payload = parts[2].bytes,
      .signing_time = TRY(parse_epoch(find_text_key(headers, kTimeAttribute)))};
  if (const Cbor* const expiry = find_text_key(headers, kExpiryAttribute))
    envelope.expiry = TRY(parse_epoch(expiry));
  return envelope;
}

}  // namespace

Result<NotationEnvelope> parse_notation_cose(ByteSpan cbor) {
  return parse(cbor).context("COSE envelope");
}

Result<Bytes> write_cose(const NotationAlgorithm& algorithm, ByteSpan payload,
                         const crypto::CertificateChain& chain, std::int64_t time,
                         const SignMessage& sign) {
  // In the order of their encoded keys, as notation writes them.
  const Bytes headers = CborWriter()
                            .map(5)
                            .number(kAlgorithm)
                            .number(algorithm.cose)
                            .number(kCritical)
                            .array(1)
                            .text(kSchemeAttribute)
                            .number(kContentType)
                            .text(kPayloadType)
                            .text(kTimeAttribute)
                            .tag(kEpochTag)
                            .number(time)
                            .text(kSchemeAttribute)
                            .text(kX509Scheme)
                            .take();
  const Bytes signature = TRY(sign(signed_structure(headers, payload)));
  CborWriter out;
  out.tag(kSign1Tag).array(4).bytes(headers).map(2).number(kChain);
  out.array(chain.certificates().size());
  for (const crypto::Certificate& certificate : chain.certificates()) out.bytes(certificate.der());
  return out.text(kAgentAttribute).text(kSigningAgent).bytes(payload).bytes(signature).take();
}

}  // namespace intact::sign
