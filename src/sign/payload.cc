#include <charconv>

#include <intact/json/json.h>
#include <intact/sign/payload.h>

#include "claims.h"
#include "go_json.h"

namespace intact::sign {
namespace {

constexpr std::string_view kType = "cosign container image signature";

/// The optional claims, in Go's order, which is that of their names.
std::string encode_claims(const SigningPayload& payload) {
  std::string claims;
  if (payload.serial)
    claims = go_quote(kSerialAnnotation) + ":" + go_quote(std::to_string(*payload.serial));
  if (payload.time)
    claims += (claims.empty() ? "" : ",") + std::string(R"("timestamp":)") +
              std::to_string(*payload.time);
  return claims.empty() ? "null" : "{" + claims + "}";
}

/// Claims of a wrong type are nobody's that we know; they say nothing.
void read_claims(const Json& claims, SigningPayload& payload) {
  if (const auto time = optional_uint(claims, "timestamp"); time && *time)
    payload.time = static_cast<std::int64_t>(**time);
  if (const auto serial = optional_string(claims, kSerialAnnotation); serial && *serial)
    payload.serial = parse_serial(**serial);
}

}  // namespace

std::optional<std::uint64_t> parse_serial(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Bytes encode_payload(const SigningPayload& payload) {
  // Put together by hand: the order of the members and the lack of spaces are part of the format.
  return to_bytes(R"({"critical":{"identity":{"docker-reference":)" +
                  go_quote(payload.docker_reference) + R"(},"image":{"docker-manifest-digest":)" +
                  go_quote(payload.manifest.to_string()) + R"(},"type":)" + go_quote(kType) +
                  R"(},"optional":)" + encode_claims(payload) + "}");
}

Result<SigningPayload> parse_payload(ByteSpan bytes) {
  const auto parse = [&]() -> Result<SigningPayload> {
    const Json document =
        TRY(parse_json(bytes, {.bytes = kMaxPayloadSize, .depth = 16, .values = 10'000}));
    const Json& critical = *TRY(require_object(document, "critical"));
    const std::string type = TRY(require_string(critical, "type"));
    if (type != kType)
      return Error(ErrorKind::malformed, "of another type than '" + std::string(kType) + "'");
    const Json& image = *TRY(require_object(critical, "image"));
    const std::string digest = TRY(require_string(image, "docker-manifest-digest"));
    const Json& identity = *TRY(require_object(critical, "identity"));
    const auto reference = TRY(optional_string(identity, "docker-reference"));
    SigningPayload payload{reference.value_or(""), TRY(Digest::parse(digest))};
    if (const auto claims = optional_object(document, "optional"); claims && *claims)
      read_claims(**claims, payload);
    return payload;
  };
  return parse().context("signed payload");
}

}  // namespace intact::sign
