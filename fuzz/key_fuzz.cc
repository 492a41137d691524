// Key files, public, private and encrypted: refused, or of use.
#include <intact/sign/key.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const std::string_view text = as_text(fuzz::input(data, size));
  if (const auto key = sign::PublicKey::from_pem(text)) {
    const auto again = sign::PublicKey::from_pem(key->to_pem());
    fuzz::require(again.has_value() && again->fingerprint() == key->fingerprint());
    fuzz::require(!key->verify(as_bytes("message"), as_bytes("no signature")).has_value());
  }
  // A password would only start scrypt: all that the file says has been parsed when it is asked
  // for.
  const sign::PasswordSource no_password = [] {
    return Error(ErrorKind::cancelled, "no password");
  };
  if (const auto key = sign::PrivateKey::from_pem(text, no_password)) {
    // Other implementations may have made a key whose halves differ; then nothing may verify.
    if (const auto signature = key->sign(as_bytes("message")))
      fuzz::require(!key->public_key().verify(as_bytes("massage"), *signature).has_value());
  }
  return 0;
}
