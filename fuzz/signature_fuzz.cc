// Signatures, payloads and signature manifests: refused, or read; and nothing that the fuzzer makes
// is a signature.
#include <intact/sign/key.h>
#include <intact/sign/payload.h>
#include <intact/sign/signature_image.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  static const auto key = sign::PrivateKey::generate().value().public_key();
  fuzz::require(!key.verify(as_bytes("message"), bytes).has_value());
  if (const auto layers = sign::parse_signature_manifest(bytes)) {
    fuzz::require(layers->size() <= sign::kMaxSignatures);
    for (const sign::SignatureLayer& layer : *layers)
      fuzz::require(layer.size <= sign::kMaxPayloadSize);
  }
  if (const auto payload = sign::parse_payload(bytes)) {
    const auto again = sign::parse_payload(sign::encode_payload(*payload));
    fuzz::require(again.has_value() && again->manifest == payload->manifest);
  }
  return 0;
}
