#include "claims.h"

#include <intact/sign/signed_time.h>
#include <intact/sign/statement.h>

#include "go_json.h"

namespace intact::sign {

Result<void> read_annotations(const Json& annotations, SigningPayload& payload) {
  payload.docker_reference = TRY(optional_string(annotations, kIdentityAnnotation)).value_or("");
  if (const auto time = TRY(optional_string(annotations, kTimeAnnotation)))
    payload.time = TRY(parse_time(*time).context(kTimeAnnotation));
  if (const auto serial = TRY(optional_string(annotations, kSerialAnnotation))) {
    payload.serial = parse_serial(*serial);
    if (!payload.serial)
      return Error(ErrorKind::malformed, std::string(kSerialAnnotation) + ": not a number");
  }
  return {};
}

std::string encode_annotations(const SigningPayload& payload) {
  std::string text;
  const auto add = [&](std::string_view key, const std::string& value) {
    text += (text.empty() ? "" : ",") + go_quote(key) + ":" + go_quote(value);
  };
  if (!payload.docker_reference.empty()) add(kIdentityAnnotation, payload.docker_reference);
  if (payload.serial) add(kSerialAnnotation, std::to_string(*payload.serial));
  if (payload.time) add(kTimeAnnotation, format_time(*payload.time));
  return text;
}

}  // namespace intact::sign
