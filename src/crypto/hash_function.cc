#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <intact/crypto/hash_function.h>

namespace intact::crypto {
namespace {

struct Known {
  std::string_view name;  // the kernel's
  const char* openssl;
  const EVP_MD* method = nullptr;
};

/// Fetched once; those that the providers lack stay null.
const auto& known_functions() {
  static const auto functions = [] {
    std::array list = {
        Known{"sha256", "SHA2-256"},
        Known{"sha512", "SHA2-512"},
        Known{"sha384", "SHA2-384"},
        Known{"sha224", "SHA2-224"},
        Known{"sha1", "SHA1"},
        Known{"sha3-224", "SHA3-224"},
        Known{"sha3-256", "SHA3-256"},
        Known{"sha3-384", "SHA3-384"},
        Known{"sha3-512", "SHA3-512"},
        Known{"blake2b-512", "BLAKE2B-512"},
        Known{"blake2s-256", "BLAKE2S-256"},
        Known{"sm3", "SM3"},
        Known{"rmd160", "RIPEMD160"},
        Known{"ripemd160", "RIPEMD160"},
        Known{"md5", "MD5"},
    };
    for (Known& known : list) known.method = EVP_MD_fetch(nullptr, known.openssl, nullptr);
    ERR_clear_error();
    return list;
  }();
  return functions;
}

/// A context for each thread: making one takes longer than hashing a small block.
EVP_MD_CTX* thread_context() {
  struct Holder {
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    ~Holder() { EVP_MD_CTX_free(ctx); }
  };
  static thread_local Holder holder;
  return holder.ctx;
}

}  // namespace

Result<HashFunction> HashFunction::find(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Known& known : known_functions())
    if (known.name == lower && known.method != nullptr)
      return HashFunction(known.name, static_cast<std::size_t>(EVP_MD_get_size(known.method)),
                          known.method);
  return Error(ErrorKind::unsupported, fmt::format("unknown hash function '{}'; known are {}", name,
                                                   fmt::join(names(), ", ")));
}

std::vector<std::string_view> HashFunction::names() {
  std::vector<std::string_view> names;
  for (const Known& known : known_functions())
    if (known.method != nullptr) names.push_back(known.name);
  return names;
}

void HashFunction::hash(std::initializer_list<ByteSpan> pieces, MutableByteSpan digest) const {
  EVP_MD_CTX* const ctx = thread_context();
  bool ok = ctx && EVP_DigestInit_ex2(ctx, static_cast<const EVP_MD*>(method_), nullptr) == 1;
  for (const ByteSpan piece : pieces)
    ok = ok && EVP_DigestUpdate(ctx, piece.data(), piece.size()) == 1;
  ok = ok && EVP_DigestFinal_ex(ctx, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1;
  if (ok) return;
  std::fputs("intact: OpenSSL cannot hash\n", stderr);
  std::abort();
}

}  // namespace intact::crypto
