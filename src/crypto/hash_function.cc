#include <algorithm>
#include <cctype>
#include <string>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <intact/crypto/hash_function.h>

namespace intact::crypto {
namespace {

constexpr HashFunction kKnown[] = {
    {"sha256", "SHA2-256"},         {"sha512", "SHA2-512"},   {"sha384", "SHA2-384"},
    {"sha224", "SHA2-224"},         {"sha1", "SHA1"},         {"sha512-256", "SHA2-512/256"},
    {"sha512-224", "SHA2-512/224"}, {"sha3-224", "SHA3-224"}, {"sha3-256", "SHA3-256"},
    {"sha3-384", "SHA3-384"},       {"sha3-512", "SHA3-512"}, {"blake2b-512", "BLAKE2B-512"},
    {"blake2s-256", "BLAKE2S-256"}, {"sm3", "SM3"},           {"rmd160", "RIPEMD160"},
    {"ripemd160", "RIPEMD160"},     {"md5", "MD5"},
};

std::vector<HashFunction> offered_functions() {
  std::vector<HashFunction> offered;
  for (HashFunction function : kKnown) {
    EVP_MD* const method = EVP_MD_fetch(nullptr, function.openssl, nullptr);
    if (method == nullptr) continue;
    function.digest_size = static_cast<std::size_t>(EVP_MD_get_size(method));
    EVP_MD_free(method);
    offered.push_back(function);
  }
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
