// Notation's envelopes in JSON: refused, or read; and nothing that the fuzzer makes is a signature.
#include <intact/sign/notation.h>
#include <intact/sign/trust.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  static const auto key = sign::PrivateKey::generate().value().public_key();
  static const Digest manifest = Digest::parse("sha256:" + std::string(64, '0')).value();
  if (const auto envelope = sign::parse_notation_jws(bytes)) {
    fuzz::require(!envelope->certificates.empty());
    fuzz::require(envelope->certificates.size() <= crypto::kMaxChain);
    (void)crypto::CertificateChain::from_der(envelope->certificates).has_value();
    (void)sign::parse_notation_payload(envelope->payload).has_value();
  }
  const sign::Evidence piece{.payload = Bytes(bytes.begin(), bytes.end()),
                             .kind = std::string(sign::kNotationJws)};
  fuzz::require(!sign::is_signed_by(piece, {"", manifest}, key));
  (void)sign::read_unverified(piece, manifest).has_value();
  return 0;
}
