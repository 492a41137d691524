#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <intact/base/result.h>

namespace intact::crypt {

/// What a dm-crypt table and a LUKS header name a cipher by, in one of two forms:
///
///     CIPHER[:KEYS]-MODE[-IV[:OPTIONS]]    aes-xts-plain64, aes-cbc-essiv:sha256, aes:64-cbc-lmk
///     capi:NAME[-IV[:OPTIONS]]             capi:gcm(aes)-random, NAME as in the kernel's crypto
///     API
struct CipherSpec {
  std::string text;             ///< as it was parsed
  std::string cipher;           ///< "xts(aes)"; of both forms as the crypto API names it
  std::string iv;               ///< "plain64"; empty: none
  std::string iv_options;       ///< "sha256" of "essiv:sha256"
  std::uint32_t key_count = 1;  ///< a power of two: the sectors use as many keys in turn

  bool operator==(const CipherSpec&) const = default;

  /// invalid_argument, in the kernel's words, for what is neither form. Whether the cipher and the
  /// IV exist is seen when they are used.
  static Result<CipherSpec> parse(std::string_view text);
};

}  // namespace intact::crypt
