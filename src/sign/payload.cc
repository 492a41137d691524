#include <intact/json/json.h>
#include <intact/sign/payload.h>

namespace intact::sign {
namespace {

constexpr std::string_view kType = "cosign container image signature";

/// A JSON string as Go's encoder writes it, so that our payload is cosign's to the byte: HTML's
/// special characters and the two Unicode line ends are escaped.
std::string quote(std::string_view text) {
  const std::string plain = to_text(Json(text));
  std::string quoted;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::string_view rest = std::string_view(plain).substr(i);
    if (rest[0] == '<' || rest[0] == '>' || rest[0] == '&') {
      quoted += rest[0] == '<' ? "\\u003c" : rest[0] == '>' ? "\\u003e" : "\\u0026";
    } else if (rest.starts_with("\u2028") || rest.starts_with("\u2029")) {
      quoted += rest.starts_with("\u2028") ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      quoted += rest[0];
    }
  }
  return quoted;
}

}  // namespace

Bytes encode_payload(const SigningPayload& payload) {
  // Put together by hand: the order of the members and the lack of spaces are part of the format.
  return to_bytes(R"({"critical":{"identity":{"docker-reference":)" +
                  quote(payload.docker_reference) + R"(},"image":{"docker-manifest-digest":)" +
                  quote(payload.manifest.to_string()) + R"(},"type":)" + quote(kType) +
                  R"(},"optional":null})");
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
    return SigningPayload{reference.value_or(""), TRY(Digest::parse(digest))};
  };
  return parse().context("signed payload");
}

}  // namespace intact::sign
