// Sigstore bundles, envelopes and in-toto statements: refused, or read; and nothing that the fuzzer
// makes is a signature.
#include <intact/sign/bundle.h>
#include <intact/sign/signature_image.h>
#include <intact/sign/trust.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  static const auto key = sign::PrivateKey::generate().value().public_key();
  static const Digest manifest = Digest::parse("sha256:" + std::string(64, '0')).value();
  if (const auto bundle = sign::parse_bundle(bytes)) {
    fuzz::require(bundle->certificates.size() <= sign::kMaxCertificates);
    fuzz::require(!bundle->envelope || bundle->envelope->signatures.size() == 1);
  }
  if (const auto statement = sign::parse_statement(bytes)) {
    fuzz::require(statement->subjects.size() <= sign::kMaxSubjects);
    (void)sign::payload_of(*statement, manifest).has_value();
  }
  for (const std::string_view kind : {sign::kSigstoreBundle, sign::kDsse}) {
    const sign::Evidence piece{.payload = Bytes(bytes.begin(), bytes.end()),
                               .kind = std::string(kind)};
    fuzz::require(!sign::is_signed_by(piece, {"", manifest}, key));
    (void)sign::read_unverified(piece, manifest).has_value();
  }
  return 0;
}
