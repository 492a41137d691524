#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <intact/crypto/hash_function.h>

#include "gcrypt_blocks.h"

namespace intact::crypto {
namespace {

constexpr HashLibrary kOpenssl = HashLibrary::openssl;
constexpr HashLibrary kGcrypt = HashLibrary::libgcrypt;

constexpr HashFunction kKnown[] = {
    {"sha256", kOpenssl, "SHA2-256"},
    {"sha512", kOpenssl, "SHA2-512"},
    {"sha384", kOpenssl, "SHA2-384"},
    {"sha224", kOpenssl, "SHA2-224"},
    {"sha1", kOpenssl, "SHA1"},
    {"sha512-256", kOpenssl, "SHA2-512/256"},
    {"sha512-224", kOpenssl, "SHA2-512/224"},
    {"sha3-224", kOpenssl, "SHA3-224"},
    {"sha3-256", kOpenssl, "SHA3-256"},
    {"sha3-384", kOpenssl, "SHA3-384"},
    {"sha3-512", kOpenssl, "SHA3-512"},
    {"blake2b-512", kOpenssl, "BLAKE2B-512"},
    {"blake2b-384", kGcrypt, "BLAKE2B_384", 128},
    {"blake2b-256", kGcrypt, "BLAKE2B_256", 128},
    {"blake2b-160", kGcrypt, "BLAKE2B_160", 128},
    {"blake2s-256", kOpenssl, "BLAKE2S-256"},
    {"blake2s-224", kGcrypt, "BLAKE2S_224", 64},
    {"blake2s-160", kGcrypt, "BLAKE2S_160", 64},
    {"blake2s-128", kGcrypt, "BLAKE2S_128", 64},
    {"sm3", kOpenssl, "SM3"},
    {"streebog256", kGcrypt, "STRIBOG256", 64},
    {"streebog512", kGcrypt, "STRIBOG512", 64},
    {"stribog256", kGcrypt, "STRIBOG256", 64},
    {"stribog512", kGcrypt, "STRIBOG512", 64},
    {"wp512", kGcrypt, "WHIRLPOOL", 64},
    {"whirlpool", kGcrypt, "WHIRLPOOL", 64},
    {"rmd160", kOpenssl, "RIPEMD160"},
    {"ripemd160", kOpenssl, "RIPEMD160"},
    {"md5", kOpenssl, "MD5"},
    {"md4", kGcrypt, "MD4", 64},
};

/// Asks the library for its sizes; whether it offers the function.
bool fill_in(HashFunction& function) {
  if (function.library == HashLibrary::libgcrypt) {
    function.digest_size = gcrypt_digest_size(function.library_name);
    return function.digest_size != 0;
  }
  EVP_MD* const method = EVP_MD_fetch(nullptr, function.library_name, nullptr);
  if (method == nullptr) return false;
  function.digest_size = static_cast<std::size_t>(EVP_MD_get_size(method));
  function.input_block = static_cast<std::size_t>(EVP_MD_get_block_size(method));
  EVP_MD_free(method);
  return true;
}

std::vector<HashFunction> offered_functions() {
  std::vector<HashFunction> offered;
  for (HashFunction function : kKnown)
    if (fill_in(function)) offered.push_back(function);
  ERR_clear_error();
  return offered;
}

}  // namespace

const std::vector<HashFunction>& hash_functions() {
  static const std::vector<HashFunction> functions = offered_functions();
  return functions;
}

Result<HashFunction> find_hash_function(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto found = std::ranges::find(hash_functions(), lower, &HashFunction::name);
  if (found != hash_functions().end()) return *found;
  std::string names;
  for (const HashFunction& function : hash_functions()) {
    if (!names.empty()) names += ", ";
    names += function.name;
  }
  return Error(ErrorKind::unsupported,
               fmt::format("unknown hash function '{}'; there are {}", name, names));
}

}  // namespace intact::crypto
