#include <string>

#include <gtest/gtest.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/random.h>

namespace intact::crypto {
namespace {

TEST(Base64, HasTheVectorsOfItsSpecification) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(encode_base64(as_bytes(plain)), text);
    const auto decoded = decode_base64(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(as_text(*decoded), plain);
    EXPECT_EQ(decode_base64_secret(text)->expose_text(), plain);
  }
}

TEST(Base64, DecodesWhatItEncodes) {
  for (std::size_t size = 0; size < 100; ++size) {
    const Bytes bytes = random_bytes(size);
    const auto decoded = decode_base64(encode_base64(bytes));
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(equal(*decoded, bytes));
  }
}

TEST(Base64, RefusesEveryOtherSpelling) {
  ASSERT_TRUE(decode_base64("Zm9vYg=="));
  for (const char* text :
       {"Zm9vYg", "Zm9vYg=", "Zm9vYg===", "Zm9vYh==", "Zm9vYmF=", "Zm9v\n", "Zm9 vYg=", "Zm9-",
        "Zm9_", "Z===", "====", "=Zm9", "Zg==Zg==", "Zm=v", "Zm9vYg==\n", "Zm9\xc3"}) {
    const auto decoded = decode_base64(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().kind(), ErrorKind::malformed);
  }
  EXPECT_FALSE(decode_base64(std::string_view("Zm9\0", 4)));
}

TEST(Pem, ReadsWhatItWrites) {
  for (const std::size_t size : {1, 47, 48, 49, 200}) {
    const Bytes body = random_bytes(size);
    const auto blocks = parse_pem("text before\n" + encode_pem("PUBLIC KEY", body) + "text behind");
    ASSERT_TRUE(blocks);
    ASSERT_EQ(blocks->size(), 1U);
    EXPECT_EQ(blocks->front().label, "PUBLIC KEY");
    EXPECT_TRUE(equal(blocks->front().body.expose(), body));
  }
}

TEST(Pem, ReadsSeveralBlocksAndDosLines) {
  const auto blocks = parse_pem(
      "-----BEGIN EC PARAMETERS-----\r\nZm9v\r\n-----END EC PARAMETERS-----\r\n"
      "-----BEGIN EC PRIVATE KEY-----\r\nZm9v\r\nYmFy\r\n-----END EC PRIVATE KEY-----");
  ASSERT_TRUE(blocks) << blocks.error().message();
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ((*blocks)[1].body.expose_text(), "foobar");
}

TEST(Pem, RefusesDamage) {
  const std::string good = "-----BEGIN PUBLIC KEY-----\nZm9v\n-----END PUBLIC KEY-----\n";
  ASSERT_TRUE(parse_pem(good));
  const std::pair<std::string, ErrorKind> damaged[] = {
      {"", ErrorKind::malformed},
      {"Zm9v", ErrorKind::malformed},
      {good.substr(0, 30), ErrorKind::malformed},
      {good.substr(0, good.size() - 4), ErrorKind::malformed},
      {"-----BEGIN A-----\nZm9v\n-----END B-----\n", ErrorKind::malformed},
      {"-----BEGIN A-----\nZm9\n-----END A-----\n", ErrorKind::malformed},
      {"-----BEGIN A-----\n-----BEGIN A-----\nZm9v\n-----END A-----\n", ErrorKind::malformed},
      {"-----BEGIN \x1b[2J-----\nZm9v\n-----END \x1b[2J-----\n", ErrorKind::malformed},
      {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nZm9v\n"
       "-----END RSA PRIVATE KEY-----\n",
       ErrorKind::unsupported},
      {std::string(kMaxPemSize + 1, '\n'), ErrorKind::limit},
  };
  for (const auto& [text, kind] : damaged) {
    const auto blocks = parse_pem(text);
    ASSERT_FALSE(blocks) << text;
    EXPECT_EQ(blocks.error().kind(), kind) << text;
    EXPECT_EQ(blocks.error().message().find('\x1b'), std::string::npos);
  }
  std::string many;
  for (std::size_t i = 0; i < kMaxPemBlocks; ++i) many += good;
  EXPECT_TRUE(parse_pem(many));
  EXPECT_EQ(parse_pem(many + good).error().kind(), ErrorKind::limit);
}

}  // namespace
}  // namespace intact::crypto
