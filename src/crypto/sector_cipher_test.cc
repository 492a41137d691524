// Digests of what Python's cryptography 48 (OpenSSL) makes of the same keys, IVs and sectors.
#include <algorithm>
#include <atomic>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include <intact/crypto/hash.h>
#include <intact/crypto/random.h>
#include <intact/crypto/sector_cipher.h>

namespace intact::crypto {
namespace {

constexpr std::size_t kSector = 512;

Bytes pattern(std::size_t size, unsigned step) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(i * step + step * 7 + (i >> 8));
  return bytes;
}

/// Two of them, one after the other.
Bytes two_ivs(std::size_t size) {
  Bytes ivs = pattern(size, 9);
  const Bytes second = pattern(size, 11);
  ivs.insert(ivs.end(), second.begin(), second.end());
  return ivs;
}

std::string sha(ByteSpan bytes) {
  return to_hex(sha256(bytes).bytes());
}

struct Vector {
  const char* name;
  std::size_t key_size;
  const char* digest;
};

constexpr Vector kVectors[] = {
    {"cbc(aes)", 16, "615c40fea7b5b25d31b2dcd78de7da867c78960b81efadb14e7b6d758f84b707"},
    {"cbc(aes)", 24, "9c65d4373c030511cbc5ee81f8341baec9a673a476edf3dc653ddd01674ce927"},
    {"cbc(aes)", 32, "c3a8857e67e72cf58600c61328857a0a6757587d7b3b66b9511030cf2a4fc97a"},
    {"ctr(aes)", 16, "38ade46798cb8e4ba5fb9c64df9399cd868f2b9e09dd8852a87e6e3a2c00a7ef"},
    {"ctr(aes)", 24, "849bbf52ba0f0918bd51baa45f31c91b6dbc0ca064e73c021d814d2b3db24558"},
    {"ctr(aes)", 32, "66d7b05c1e184b857686ad9b79249d8070c2455001527d856f5685c148ca2ecf"},
    {"ecb(aes)", 16, "1450d4ed5ae0f6c0449ed27d081c1f5892ab6c8e1d95d75c0656f443f3eec520"},
    {"ecb(aes)", 24, "e0cb5d59a92f6719f0c00ee4bd39d73b98afcab82d91e8b49a845d31403450ee"},
    {"ecb(aes)", 32, "bf95709152007958ffdc15a7f0078729016839760f90cbbd4f3e2da784606527"},
    {"cbc(camellia)", 16, "d9e66f28be1fba3ea0cf2d3493081349997ae10ee53d7ef02d3b023977d88e87"},
    {"cbc(camellia)", 24, "164df31e387d0732ce63d471f1d6afaf3cf6f6c867f3ba825ef9922e6d611918"},
    {"cbc(camellia)", 32, "5ba99f6e5c5fd30b08423c61ba49e61e25dbd69ff479c7c56f8f0365e45ba581"},
    {"ecb(camellia)", 16, "d83e646ca8bc15d411edbd0e5a9c2456c50e7d68625d92dc2e25b51f5fa8709d"},
    {"ecb(camellia)", 24, "b54ba3c9c963b953491ade9dfabc0e38b8bfc1e3f04f22f22099ac7331840c2d"},
    {"ecb(camellia)", 32, "b3a01913cbcdfe6fa9d6a7897d74eb285974393f30737902d8f35a79d8e8de3c"},
    {"cbc(sm4)", 16, "e268821450a3c59f74cceea231f01f0ace4a92e56cac4854186c3ad11f7e76ce"},
    {"ctr(sm4)", 16, "828113242cec80a2d11d9006e0484701cc12bebe9ac3827982313e51e181870c"},
    {"ecb(sm4)", 16, "a8cb6d4fa7151bf980ebf66ad7b7c348fcbfb490c648235411d6b31a33c5c67c"},
    {"cbc(seed)", 16, "dde9fa667958066f16dca544352250352ef1e0f81892a17751092963ab7f8d86"},
    {"ecb(seed)", 16, "37caefbeeae13f264234a9aaf838009f4beffbd1d577820fa3687c24cd1dbd7d"},
    {"cbc(cast5)", 16, "0b9b660879439edb92c03c2b4a8509b56a8b62122d202bf5f7034a9384932aeb"},
    {"ecb(cast5)", 16, "770c8705a309a9393a8c7c2aa65a1bee0670f3682d59e921aa52511c8131ce07"},
    {"cbc(blowfish)", 16, "a8bbb8550e6dcb56d1f94e1e577749aac3fa98b7fd4df5af68c2e74ad740a5af"},
    {"ecb(blowfish)", 16, "500e0ff3f16035f8d83d581a7e4bfe33c31c898cdbaf3e24378486a1cbd62edd"},
    {"cbc(des3_ede)", 24, "762502975d4296bc6dc3d1bfce6cb4ee1cf37d854725288672ee67305033530d"},
    {"ecb(des3_ede)", 24, "6a76bca848bcf8cace4b03a3248ffe84c1935e23e8401a455f3fe710324790a2"},
    {"xts(aes)", 32, "d9276932706d8821895e8432e7f390d02681804b28d37fe2e7b8592b258c0377"},
    {"xts(aes)", 64, "c299546f9dc56b0dc0af53a95495581122b29ae1bd02ecd6e061ca61d85bacaf"},
    {"chacha20", 32, "76932e397be780e15a4b83b979d012bba407396e010405e41360d8553320898a"},
};

TEST(SectorCipher, AgreesWithOpenssl) {
  const Bytes plain = pattern(2 * kSector, 5);
  for (const auto& [name, key_size, digest] : kVectors) {
    const auto cipher = SectorCipher::create(name, pattern(key_size, 3));
    ASSERT_TRUE(cipher) << name << ": " << cipher.error().message();
    const Bytes ivs = two_ivs((*cipher)->iv_size());
    Bytes out(plain.size());
    (*cipher)->encrypt(ivs, plain, out);
    EXPECT_EQ(sha(out), digest) << name << " with a key of " << key_size;
    (*cipher)->decrypt(ivs, out, out);
    EXPECT_EQ(out, plain) << name << " with a key of " << key_size;
    out = plain;
    (*cipher)->encrypt(ivs, out, out);
    EXPECT_EQ(sha(out), digest) << name << " in place";
  }
}

TEST(SectorCipher, KnowsTheVectorsOfNist) {
  // SP 800-38A, F.2.1 and F.1.1: the first block.
  const Bytes key = *from_hex("2b7e151628aed2a6abf7158809cf4f3c");
  const Bytes iv = *from_hex("000102030405060708090a0b0c0d0e0f");
  const Bytes plain = *from_hex("6bc1bee22e409f96e93d7e117393172a");
  Bytes out(16);
  const auto cbc = *SectorCipher::create("cbc(aes)", key);
  EXPECT_EQ(cbc->iv_size(), 16u);
  EXPECT_EQ(cbc->block_size(), 16u);
  cbc->encrypt(iv, plain, out);
  EXPECT_EQ(to_hex(out), "7649abac8119b246cee98e9b12e9197d");
  const auto ecb = *SectorCipher::create("ecb(aes)", key);
  EXPECT_EQ(ecb->iv_size(), 0u);
  ecb->encrypt({}, plain, out);
  EXPECT_EQ(to_hex(out), "3ad77bb40d7a3660a89ecaf32466ef97");
}

// IEEE P1619, draft 2, as in mail to its list. What follows the first block is tested with
// dm-crypt.
TEST(SectorCipher, KnowsTheVectorOfLrw) {
  const auto cipher = SectorCipher::create(
      "lrw(aes)", *from_hex("4562ac25f828176d4c268414b5680185258e2a05e73e9d03ee5a830ccc094c87"));
  ASSERT_TRUE(cipher) << cipher.error().message();
  const Bytes iv = *from_hex("00000000000000000000000000000001");
  Bytes out = *from_hex("30313233343536373839414243444546");
  (*cipher)->encrypt(iv, out, out);
  EXPECT_EQ(to_hex(out), "f1b273cd65a3df5fe95d489254634eb8");
}

// The number of a block has 128 bits, and what is known of its tweak holds over any carry.
TEST(SectorCipher, CountsTheBlocksOfLrw) {
  const auto cipher = *SectorCipher::create("lrw(aes)", random_bytes(48));
  for (const char* const first :
       {"00000000000000000000000000000000", "0000000000000000fffffffffffffffe",
        "fffffffffffffffffffffffffffffffe"}) {
    Bytes iv = *from_hex(first);
    Bytes whole(64), block(16);
    cipher->encrypt(iv, whole, whole);
    for (std::size_t i = 0; i < 4; ++i) {
      std::ranges::fill(block, std::byte{0});
      cipher->encrypt(iv, block, block);
      EXPECT_TRUE(equal(block, ByteSpan(whole).subspan(i * 16, 16))) << first << " + " << i;
      for (std::size_t b = 16; b-- > 0 && ++reinterpret_cast<unsigned char&>(iv[b]) == 0;) {
      }
    }
  }
}

TEST(SectorCipher, DecryptsWhatItEncrypts) {
  for (const auto& [name, key_size] : {std::pair<const char*, std::size_t>{"xts(serpent)", 64},
                                       {"xts(twofish)", 32},
                                       {"xts(aes)", 48},
                                       {"lrw(aes)", 48},
                                       {"ctr(camellia)", 24},
                                       {"cbc(serpent)", 24},
                                       {"ctr(cast5)", 16},
                                       {"chacha20", 32}}) {
    const auto made = SectorCipher::create(name, random_bytes(key_size));
    ASSERT_TRUE(made) << made.error().message();
    const Bytes ivs = random_bytes(8 * (*made)->iv_size()), plain = random_bytes(8 * 4096);
    Bytes bytes = plain;
    (*made)->encrypt(ivs, bytes, bytes);
    EXPECT_NE(bytes, plain) << name;
    // Each sector depends on its own IV only.
    Bytes third(4096);
    (*made)->decrypt(ByteSpan(ivs).subspan(2 * (*made)->iv_size(), (*made)->iv_size()),
                     ByteSpan(bytes).subspan(2 * 4096, 4096), third);
    EXPECT_TRUE(equal(third, ByteSpan(plain).subspan(2 * 4096, 4096))) << name;
    (*made)->decrypt(ivs, bytes, bytes);
    EXPECT_EQ(bytes, plain) << name;
  }
}

TEST(SectorCipher, FindsAnyPlaceOfAKeystream) {
  for (const char* name : {"ctr(aes)", "chacha20"}) {
    const auto cipher = *SectorCipher::create(name, random_bytes(32));
    EXPECT_EQ(cipher->block_size(), 1u);
    Bytes whole(1 << 17), part(512);
    cipher->encrypt(Bytes(cipher->iv_size()), whole, whole);
    for (const std::size_t at : {std::size_t{0}, std::size_t{512}, std::size_t{65536 + 1024}}) {
      std::ranges::fill(part, std::byte{0});
      cipher->xor_keystream(at, part);
      EXPECT_TRUE(equal(part, ByteSpan(whole).subspan(at, 512))) << name << " at " << at;
    }
  }
}

TEST(SectorCipher, RefusesUnknownNamesAndKeysThatDoNotFit) {
  const auto kind = [](std::string_view name, std::size_t size) {
    const auto cipher = SectorCipher::create(name, random_bytes(size));
    return cipher ? ErrorKind::exists : cipher.error().kind();
  };
  for (const char* const name : {"cbc(none)", "cbc", "cbc(", "cbc(aes", "cbc()", "", "lrw(cast5)",
                                 "xts(cast5)", "cbc(aes))", "(aes)", "aes"})
    EXPECT_EQ(kind(name, 32), ErrorKind::unsupported) << name;
  EXPECT_EQ(kind("cbc(aes)", 15), ErrorKind::bad_secret);
  EXPECT_EQ(kind("cbc(aes)", 0), ErrorKind::bad_secret);
  EXPECT_EQ(kind("xts(aes)", 33), ErrorKind::bad_secret);
  EXPECT_EQ(kind("xts(aes)", 16), ErrorKind::bad_secret);
  EXPECT_EQ(kind("chacha20", 16), ErrorKind::bad_secret);
  EXPECT_EQ(kind("cbc(aes)", 16), ErrorKind::exists);
  EXPECT_TRUE(SectorCipher::create("xts(aes)", Bytes(64)));  // as the kernel: it is a key
}

TEST(SectorCipher, ServesManyThreads) {
  const auto cipher = *SectorCipher::create("xts(aes)", random_bytes(64));
  const Bytes ivs = random_bytes(8 * 16), plain = random_bytes(8 * kSector);
  Bytes expected(plain.size());
  cipher->encrypt(ivs, plain, expected);
  std::atomic<unsigned> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      Bytes out(plain.size());
      for (int i = 0; i < 500; ++i) {
        cipher->encrypt(ivs, plain, out);
        if (out != expected) ++wrong;
        cipher->decrypt(ivs, out, out);
        if (out != plain) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
}

struct AeadVector {
  const char* name;
  std::size_t key_size;
  const char* digest;
  const char* tags;
};

constexpr AeadVector kAeadVectors[] = {
    {"gcm(aes)", 16, "acda4af6dd6283b3acc617b6ee4068290d2dbc10261f59d5db657cc78fe7d4c7",
     "530098ce01d6c5f3d8c341d33aecfaedc7c3b228a42d7d6f1cf0367eeb08dc3c"},
    {"gcm(aes)", 24, "43ec3b876a9ff6d9f940fb2f062c3724317a3738f801a49e1f44f0c4344b3f95",
     "1dd7b292cba2a70d8453cc1fbad8735387e564f77ed4b26e8b19971d1b39f85f"},
    {"gcm(aes)", 32, "1ef08e3d7199672ab4cb9bd298a4a3a7ad34920ba1ff389c0c39fa77465a389e",
     "c39468bf41ab5a6bc5ec75beb1d73ac5779d0569f483ce8e0e4992edf1fb2762"},
    {"rfc4309(ccm(aes))", 19, "0bdb661ebe855fe89ba560c5ab046ed0029e08257f798e8561308b4473faca75",
     "8b8fcc76de0983ff3529961a91b136db3e059f686c99abc569afb736a0c259b0"},
    {"rfc4309(ccm(aes))", 35, "e9fcbd434074b17b4fe4708c639cfd5fb7cc7726bdf14e5893e0352365d97ae2",
     "0e37d0511376ce25a78fa65b1993b85f493c675216647014f9445e93274ddf79"},
    {"rfc7539(chacha20,poly1305)", 32,
     "852bf66bdc1c84a85278876ab7ec53dde8deaa985e0e10e86faa02f56fda11c3",
     "03d7dce2ee051e4d879e80f36330525a5c0e2983eb0163ae29ff007d9b51545c"},
    {"authenc(hmac(sha256),xts(aes))", 96,
     "c299546f9dc56b0dc0af53a95495581122b29ae1bd02ecd6e061ca61d85bacaf",
     "1fa3110537e20902152c94983367de3ace0939d2c08ef856e513153728c68c66ad3912e3e1adb7efe45f748af8a74"
     "b236b3183426d786a1846b4194c6303d6a8"},
    {"authenc(hmac(sha1),cbc(aes))", 36,
     "615c40fea7b5b25d31b2dcd78de7da867c78960b81efadb14e7b6d758f84b707",
     "d5fc9b98bfd7de7180231a66e7192c2fb6d08ee47f164f355bd1063fd3c3d627278110a71cba5a65"},
    {"authenc(hmac(sha512),ctr(aes))", 96,
     "66d7b05c1e184b857686ad9b79249d8070c2455001527d856f5685c148ca2ecf",
     "45ee879f7cc20026c5901380062bf67ba9f194241bc89acf20cff02862fb04c45549a7d92635d8c850cbbce1eb828"
     "d82f1f029f4867101adcb31a48d984d7acacb17ca048c1662cf20392767f52bf499fad247bbc4f44d722aba5f7538"
     "735eb2f382d94809ff382d94e245d9730646529f31efb3db7df0fe6cbeb9165e0438f7"},
};

Bytes numbers() {
  Bytes numbers(16);
  numbers[0] = std::byte{1000 & 255}, numbers[1] = std::byte{1000 >> 8};
  numbers[8] = std::byte{1001 & 255}, numbers[9] = std::byte{1001 >> 8};
  return numbers;
}

TEST(SectorAead, AgreesWithOpenssl) {
  const Bytes plain = pattern(2 * kSector, 5);
  for (const auto& [name, key_size, digest, expected_tags] : kAeadVectors) {
    const auto made = SectorAead::create(name, pattern(key_size, 3), {.sector_size = kSector});
    ASSERT_TRUE(made) << name << ": " << made.error().message();
    const SectorAead& cipher = **made;
    const Bytes ivs = two_ivs(cipher.iv_size());
    Bytes out = plain, tags(2 * cipher.tag_size());
    cipher.encrypt(ivs, numbers(), out, out, tags);
    EXPECT_EQ(sha(out), digest) << name;
    EXPECT_EQ(to_hex(tags), expected_tags) << name;
    EXPECT_EQ(cipher.decrypt(ivs, numbers(), out, tags, out), std::vector<std::size_t>()) << name;
    EXPECT_EQ(out, plain) << name;
  }
}

TEST(SectorAead, FindsEverySectorThatWasChanged) {
  for (const auto& [name, key_size, digest, expected_tags] : kAeadVectors) {
    const auto cipher = *SectorAead::create(name, pattern(key_size, 3), {.sector_size = kSector});
    const Bytes plain = pattern(2 * kSector, 5), zeros(kSector);
    const Bytes ivs = two_ivs(cipher->iv_size());
    Bytes sealed(plain.size()), tags(2 * cipher->tag_size());
    cipher->encrypt(ivs, numbers(), plain, sealed, tags);
    // What is changed, of the second sector: content, tag, number, IV.
    for (const int what : {0, 1, 2, 3}) {
      Bytes in = sealed, changed_tags = tags, changed_numbers = numbers(), changed_ivs = ivs;
      Bytes* const changed[] = {&in, &changed_tags, &changed_numbers, &changed_ivs};
      changed[what]->back() ^= std::byte{0x40};
      Bytes out(plain.size(), std::byte{0xff});
      EXPECT_EQ(cipher->decrypt(changed_ivs, changed_numbers, in, changed_tags, out),
                std::vector<std::size_t>{1})
          << name << " " << what;
      EXPECT_TRUE(equal(ByteSpan(out).first(kSector), ByteSpan(plain).first(kSector))) << name;
      EXPECT_TRUE(equal(ByteSpan(out).subspan(kSector), zeros)) << name << " " << what;
    }
  }
}

TEST(SectorAead, CutsTags) {
  for (const auto& [name, key_size, tag_size, tag] : {
           std::tuple("gcm(aes)", 16, 12, "530098ce01d6c5f3d8c341d3"),
           std::tuple("gcm(aes)", 16, 4, "530098ce"),
           std::tuple("authenc(hmac(sha256),xts(aes))", 96, 20,
                      "1fa3110537e20902152c94983367de3ace0939d2"),
           // Not the beginning of the whole tag: Python's AESCCM(key, 8).
           std::tuple("rfc4309(ccm(aes))", 19, 8, "bd911576dc787012"),
       }) {
    const auto made = SectorAead::create(name, pattern(key_size, 3),
                                         {.tag_size = static_cast<std::size_t>(tag_size)});
    ASSERT_TRUE(made) << name << ": " << made.error().message();
    const Bytes iv = pattern((*made)->iv_size(), 9), plain = pattern(kSector, 5);
    Bytes number = numbers();
    number.resize(8);
    Bytes out = plain, cut(tag_size);
    (*made)->encrypt(iv, number, out, out, cut);
    EXPECT_EQ(to_hex(cut), tag) << name;
    EXPECT_TRUE((*made)->decrypt(iv, number, out, cut, out).empty()) << name;
    EXPECT_EQ(out, plain) << name;
  }
  const auto kind = [](const char* name, std::size_t key_size, std::size_t tag_size) {
    const auto made = SectorAead::create(name, random_bytes(key_size), {.tag_size = tag_size});
    return made ? ErrorKind::exists : made.error().kind();
  };
  EXPECT_EQ(kind("gcm(aes)", 16, 5), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("gcm(aes)", 16, 17), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("gcm(aes)", 16, 256 + 16), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("rfc4309(ccm(aes))", 19, 4), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("rfc7539(chacha20,poly1305)", 32, 12), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("authenc(hmac(sha256),xts(aes))", 96, 33), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("authenc(hmac(sha256),xts(aes))", 96, 1), ErrorKind::exists);
}

TEST(SectorAead, TakesTheMacKeyThatItIsTold) {
  const auto with = [](std::size_t key_size, std::size_t mac_key_size) {
    const auto made = SectorAead::create("authenc(hmac(sha256),xts(aes))", random_bytes(key_size),
                                         {.mac_key_size = mac_key_size});
    return made ? ErrorKind::exists : made.error().kind();
  };
  EXPECT_EQ(with(96, 0), ErrorKind::exists);
  EXPECT_EQ(with(80, 16), ErrorKind::exists);
  EXPECT_EQ(with(79, 0), ErrorKind::bad_secret);
  EXPECT_EQ(with(32, 0), ErrorKind::bad_secret);
  EXPECT_EQ(with(16, 16), ErrorKind::bad_secret);
  const auto cmac = SectorAead::create("authenc(cmac(aes),xts(aes))", random_bytes(80), {});
  ASSERT_TRUE(cmac) << cmac.error().message();
  EXPECT_EQ((*cmac)->tag_size(), 16u);
}

TEST(SectorAead, RefusesUnknownNamesAndKeysThatDoNotFit) {
  const auto kind = [](std::string_view name, std::size_t size) {
    const auto made = SectorAead::create(name, random_bytes(size), {});
    return made ? ErrorKind::exists : made.error().kind();
  };
  for (const char* const name :
       {"gcm(none)", "gcm(cast5)", "gcm", "ccm(aes)", "rfc4309(gcm(aes))", "aegis128",
        "authenc(hmac(sha256))", "authenc(hmac(sha7),xts(aes))", "authenc(hmac(sha256),xts(none))",
        "authenc(sha256,xts(aes))", "authenc(hmac(sha256),ecb(aes))", "xts(aes)", ""})
    EXPECT_EQ(kind(name, 64), ErrorKind::unsupported) << name;
  EXPECT_EQ(kind("gcm(aes)", 33), ErrorKind::bad_secret);
  EXPECT_EQ(kind("rfc4309(ccm(aes))", 32), ErrorKind::bad_secret);
  EXPECT_EQ(kind("rfc7539(chacha20,poly1305)", 16), ErrorKind::bad_secret);
  EXPECT_EQ(kind("gcm(serpent)", 32), ErrorKind::exists);
}

}  // namespace
}  // namespace intact::crypto
