// Keys, payloads, signature manifests, policies and identities: refused, or read; and nothing that
// the fuzzer makes is a signature.
#include <intact/sign/identity.h>
#include <intact/sign/key.h>
#include <intact/sign/payload.h>
#include <intact/sign/policy.h>
#include <intact/sign/signature_image.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  static const auto key = sign::PrivateKey::generate().value().public_key();
  fuzz::require(!key.verify(as_bytes("message"), bytes).has_value());
  (void)sign::PublicKey::from_pem(as_text(bytes));
  (void)sign::parse_signature_manifest(bytes);
  (void)sign::parse_identity(as_text(bytes));
  (void)sign::check_identity_pattern(as_text(bytes));
  if (const auto payload = sign::parse_payload(bytes)) {
    const auto again = sign::parse_payload(sign::encode_payload(*payload));
    fuzz::require(again.has_value() && again->manifest == payload->manifest);
  }
  if (const auto policy = sign::Policy::parse(bytes)) {
    fuzz::require(sign::Policy::parse(as_bytes(policy->to_text())).has_value());
  }
  return 0;
}
