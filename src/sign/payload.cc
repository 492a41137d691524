#include <intact/json/json.h>
#include <intact/sign/payload.h>

#include "go_json.h"

namespace intact::sign {
namespace {

constexpr std::string_view kType = "cosign container image signature";

}  // namespace

Bytes encode_payload(const SigningPayload& payload) {
  // Put together by hand: the order of the members and the lack of spaces are part of the format.
  return to_bytes(R"({"critical":{"identity":{"docker-reference":)" +
                  go_quote(payload.docker_reference) + R"(},"image":{"docker-manifest-digest":)" +
                  go_quote(payload.manifest.to_string()) + R"(},"type":)" + go_quote(kType) +
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
