#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/sign/key.h>

namespace intact::sign {

inline constexpr std::string_view kGoldenPassword = "golden-password";

/// A file that cosign wrote; see tests/golden/sign/README.md.
inline std::string golden_path(std::string_view name) {
  return std::string(GOLDEN_DIR) + "/" + std::string(name);
}

inline Bytes golden(std::string_view name) {
  auto bytes = read_file(golden_path(name), 1 << 20);
  EXPECT_TRUE(bytes) << name;
  return bytes ? *std::move(bytes) : Bytes();
}

inline std::string golden_text(std::string_view name) {
  return std::string(as_text(golden(name)));
}

inline PasswordSource password(std::string_view text) {
  return [text] { return crypto::Secret::copy_of(as_bytes(text)); };
}

/// For keys without one: asking fails the test.
inline PasswordSource no_password() {
  return []() -> Result<crypto::Secret> {
    ADD_FAILURE() << "a password was asked for";
    return Error(ErrorKind::bad_secret, "no password");
  };
}

inline PrivateKey generate_key() {
  return *PrivateKey::generate();
}

inline PublicKey golden_public(std::string_view name) {
  return *PublicKey::load(golden_path(name));
}

/// Shows why a Result is not what the test wants.
template <typename T>
std::string why(const Result<T>& result) {
  return result ? "no error"
                : std::string(to_string(result.error().kind())) + ": " + result.error().message();
}

/// Of any Result: its error's kind. Fails the test if there is none.
template <typename T>
ErrorKind kind_of(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorKind::cancelled : result.error().kind();
}

}  // namespace intact::sign
