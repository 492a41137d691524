// SHA-256 of 8 KiB at the start of a device with the table
//
//     0 16 crypt SPEC KEY IV_OFFSET DEVICE 0 [2 sector_size:SIZE iv_large_sectors]
//
// as a model in Python (cryptography 48) encrypts them. tests/vm/60-crypt.sh compares the same
// modes with the kernel. Byte i of the key is 3 i + 21 + i / 256, and of the data 5 i + 35 + i /
// 256, modulo 256.
#include <algorithm>
#include <atomic>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include <intact/crypt/sector_crypt.h>
#include <intact/crypto/hash.h>
#include <intact/crypto/random.h>

namespace intact::crypt {
namespace {

Bytes pattern(std::size_t size, unsigned step) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(i * step + step * 7 + (i >> 8));
  return bytes;
}

std::string sha(ByteSpan bytes) {
  return to_hex(crypto::sha256(bytes).bytes());
}

SectorParams params(std::string_view spec, std::uint32_t sector_size = 512, bool large = false,
                    std::uint64_t iv_offset = 0) {
  return {.spec = CipherSpec::parse(spec).value(),
          .sector_size = sector_size,
          .iv_large_sectors = large,
          .iv_offset = iv_offset};
}

struct Vector {
  const char* spec;
  std::size_t key_size;
  std::uint32_t sector_size;
  bool large;
  std::uint64_t iv_offset;
  const char* digest;
};

constexpr Vector kVectors[] = {
    {"aes", 32, 512, false, 0, "f3e1893d7b5930d69a26ea79702bb48148d8a227bed37e0d380341df9f471002"},
    {"aes-plain", 16, 512, false, 5,
     "7c287a0113feea6335f8559ce97ded9164b82c579af25a3875856e2c779c988c"},
    {"aes-ecb", 32, 512, false, 0,
     "22e7ac0e6245fda9ff4c361cb7c1db13a84d07644cce3fed1ee2b6da73d8158d"},
    {"aes-cbc-null", 32, 512, false, 0,
     "dda7c02ae3c1d7a20fb52acd43b37874fff9c32f80efe1f9e055d17004fc7f16"},
    {"aes-cbc-plain", 32, 512, false, 4294967290,
     "a1217f015cde5dfb7cbcb36059950c736bf2cc23d7abe0676023c53009551541"},
    {"aes-cbc-plain64", 32, 512, false, 4294967290,
     "63888dc72b6cf44c3b9de55a896a2086ccfb4215438759917cf0a187885536dd"},
    {"aes-cbc-plain64be", 32, 512, false, 4294967290,
     "018daafe214965149f24161e263896187e1157c8b3944a1ac5ae49f4f44836bd"},
    {"aes-cbc-essiv:sha256", 32, 512, false, 4294967290,
     "37d516f94ee3ad80639c93a36116cc2755e73106ddc20225c35e4c1c16cd3313"},
    {"aes-cbc-essiv:sha256", 16, 512, false, 0,
     "e4f4a6843e101767a3ccaacd1e0fbf7bfcb765a175e62407350b415f4d026077"},
    {"aes-cbc-essiv:sha256", 32, 4096, false, 8,
     "161db0001f13fcbe19d19608fd412499a05e1b60a5fe2cecc27b1c729108143d"},
    {"aes-cbc-benbi", 32, 512, false, 4294967290,
     "d8d3591651d35be157b940550c18f32f04116228ec766c8828e7a0467c240885"},
    {"aes-cbc-benbi", 32, 4096, false, 8,
     "a78414e1833dca52bef43143ee665b12ad20cff0a36fc70be98a88360d026385"},
    {"aes-ctr-benbi", 32, 512, false, 7,
     "ca933760084539efca7a3b1de92a47e12fe94f557816ed04ad54fbbb01c59e49"},
    {"aes-ctr-plain64", 32, 512, false, 4294967290,
     "29af38a3c5ab433bd1270447ad2947d6bf02e09c56e59d11afd09fe3bde68d20"},
    {"aes-xts-plain64", 64, 512, false, 1152921504606846970,
     "5f1b034727d1cd9bcac9bef8ba76c6999ef6f0a438b8cd421f96ca18e51a0eeb"},
    {"aes-xts-plain64", 32, 4096, false, 16,
     "1da2ee1916992ce61d8b417970c17e0fe2b4a1bf3a5061976fb52cce79e163e1"},
    {"aes-xts-plain64", 64, 4096, true, 16,
     "08cef531572a1e274a0d754318eccb4b77f2ae73dd3a24d47bd39a590c1cb3f0"},
    {"aes-xts-plain", 64, 1024, false, 4294967290,
     "9d88a986a1c327f188b74060ac96e394c1188312a1eae2ae542a30326f25d5bd"},
    {"aes-xts-essiv:sha256", 64, 512, false, 3,
     "35cecf5c909c1ed864c07fc64c9aea5a7b198425afdbcd424b6acabaf6cf8529"},
    {"aes-xts-benbi", 64, 512, false, 3,
     "1ba7b2364260d5d09cceb124bd85100d12e8839eab71c9052343acdd5819e7cd"},
    {"aes-xts-eboiv", 64, 512, false, 3,
     "9b83a912bc5b1c2d6276b68f7cd805aff59369135b218bc04e673a2ade7a753f"},
    {"aes-cbc-eboiv", 32, 512, false, 3,
     "06c74e8d950f548d704ae12457a0a34068c75427696748ca21aad3acfa8fc303"},
    {"aes-cbc-eboiv", 32, 4096, false, 8,
     "8e20b3015fa960613a833e7ef0cd8d2b4ed5a01ee53b6c7a22c479422ddf0e06"},
    {"aes-cbc-eboiv", 32, 4096, true, 8,
     "8a7f30b9b9cf1904d4a45b631ff56f829d367f8d5a64907965570ccc157f36aa"},
    {"aes-cbc-elephant", 64, 512, false, 3,
     "dc17bf4f7ef97e63af358875ea656b02ae828f48abcb0fce9f676894aa37fb15"},
    {"aes-cbc-elephant", 32, 512, false, 3,
     "2d417cc4cf675420d0ed9500cbb0fcf7a153369e67b6e558d3e06d0c095768bb"},
    {"aes-cbc-elephant", 64, 4096, true, 8,
     "67f4afca1548b76376953b5e065d8bbe1edcf763fa55e06a688f48ec6e18ba3d"},
    {"aes-cbc-elephant", 64, 1024, false, 2,
     "55c908cd2fa4f2bc9a6dfd2aec1daf7d0dd5d925761239340283fd5e83aad2cd"},
    {"aes:64-cbc-lmk", 1024, 512, false, 3,
     "21c57da19f7564923ccf8b8056c62a980cd9c1ea234977c345ec7cb1d5f98002"},
    {"aes:64-cbc-lmk", 2080, 512, false, 4294967290,
     "08a723f418c552e8a3b45f2dc1c9647438d1978fe47f275cbe1b3b251725de92"},
    {"aes:64-cbc-lmk", 1040, 512, false, 61,
     "acb796774d93c6398681ebdda222249b75984bbbb447febb25627ad73daddfdd"},
    {"capi:cbc(aes)-lmk", 1024, 512, false, 3,
     "21c57da19f7564923ccf8b8056c62a980cd9c1ea234977c345ec7cb1d5f98002"},
    {"aes-cbc-lmk", 16, 512, false, 3,
     "446efe558986ff1cf095dce517031ab34fe41cde72ca5adcc3bdc0f70c3ac56e"},
    {"aes-cbc-tcw", 64, 512, false, 4294967290,
     "12f419a5612d03a1911bf9fcbb8765179b505b1230a05825958863b4cc7f1a0b"},
    {"aes-cbc-tcw", 48, 512, false, 3,
     "b8973c26b0a6d30b7963f24f5ff71dc06742a26f179583cbcf7861d6263bc3b7"},
    {"aes:4-xts-plain64", 256, 512, false, 3,
     "f8410d8ce5eb9993749d653bfbc137cb625b59e2913a92101f5a699829b90b08"},
    {"aes:2-cbc-essiv:sha256", 64, 4096, false, 8,
     "161db0001f13fcbe19d19608fd412499a05e1b60a5fe2cecc27b1c729108143d"},
    {"aes:4-cbc-eboiv", 128, 512, false, 3,
     "0f30acd7671da067c7aa0f919311667973c69bc176ed9a9360310e37e8c019b4"},
    {"capi:xts(aes)-plain64", 64, 512, false, 3,
     "276df66bc83ff060359e08682cffd56bbb8d011a31a07290ddbdb6e01bf20d18"},
    {"capi:cbc(aes)-essiv:sha256", 32, 512, false, 3,
     "f938780bc4f053bafee5855f64c80eadd95a0dd8f0ba0d1c1d87e226a9ea44f8"},
    {"capi:cbc(aes)-essiv:sha3-256", 32, 512, false, 3,
     "643aa12785be9aecdb498948ead0dba3c909ddfb09792a1b11f31f855273030f"},
    {"des3_ede-cbc-plain64", 24, 512, false, 3,
     "e3434b2299da23dd3b075a82f40a56aaff2f43d7bbb2d8dc1f9a2086c74cf888"},
    {"cast5-cbc-plain64", 16, 512, false, 3,
     "10815d7717b06677a4fdcaae13e6f567e20aba6fe17e8143e546e05e27be57d5"},
    {"blowfish-cbc-plain64", 16, 512, false, 3,
     "3754be7c96f20db6dc0c63b5fcdc089f06109a9363472b44ab3dd149c4592fdf"},
    {"cast5-cbc-benbi", 16, 512, false, 3,
     "5ae0db0a0e0bbbd6193850694b24c0c635a849654d893d28b720bdd503abc27f"},
    {"cast5-cbc-tcw", 40, 512, false, 3,
     "d1b4d862f36f17ebcdcca0a063b06c948933a9784e86dc667195ea1bf08befb0"},
    {"blowfish-cbc-lmk", 16, 512, false, 3,
     "ae60f657119fa680eb1d7e9bedf6fd02070b6bf7e2db966e8ead8834e3431307"},
    {"blowfish-cbc-eboiv", 16, 512, false, 3,
     "20a2dc18f30ca2d040c160e1caa659db2795641262b4ff4d5074a74ec5916f5b"},
    {"seed-cbc-plain64", 16, 512, false, 3,
     "e4202f2ae9f564d23e4fcb94bb0dc69573776f8123dd255d1b39a2aeddf2e0b8"},
    {"aes-cbc-plain64:ignored", 32, 512, false, 3,
     "eee7a39d5c5378305ecc9e1ab95761d3919736cb947d27a8a90b39d3e614f3d8"},
};

TEST(SectorCrypt, EncryptsLikeTheKernel) {
  const Bytes plain = pattern(8192, 5);
  for (const auto& [spec, key_size, sector_size, large, iv_offset, digest] : kVectors) {
    const auto crypt =
        SectorCrypt::create(params(spec, sector_size, large, iv_offset), pattern(key_size, 3));
    ASSERT_TRUE(crypt) << spec << ": " << crypt.error().message();
    Bytes out(plain.size());
    (*crypt)->encrypt(0, plain, out, {});
    EXPECT_EQ(sha(out), digest) << spec << " with a key of " << key_size;
    EXPECT_TRUE((*crypt)->decrypt(0, out, {}, out).empty());
    EXPECT_EQ(out, plain) << spec;
    // A part of it, in place.
    const std::size_t from = 4096;
    out = plain;
    (*crypt)->encrypt(0, out, out, {});
    Bytes part(out.begin() + from, out.end());
    (*crypt)->decrypt(from / 512, part, {}, part);
    EXPECT_TRUE(equal(part, ByteSpan(plain).subspan(from))) << spec;
  }
}

// Longer than what has its IVs made at a time, and on several threads.
TEST(SectorCrypt, SectorsDependOnTheirNumberOnly) {
  for (const auto& [spec, key_size] :
       {std::tuple("aes-xts-plain64", 64), std::tuple("aes-cbc-essiv:sha256", 32),
        std::tuple("aes-cbc-elephant", 64), std::tuple("aes-cbc-tcw", 64),
        std::tuple("aes:4-cbc-plain64", 64), std::tuple("aes:64-cbc-lmk", 1040)}) {
    const auto crypt = SectorCrypt::create(params(spec), pattern(key_size, 3));
    ASSERT_TRUE(crypt) << spec << ": " << crypt.error().message();
    const Bytes plain = crypto::random_bytes(200 * 512);
    Bytes whole(plain.size());
    (*crypt)->encrypt(1000, plain, whole, {});
    std::atomic<unsigned> wrong = 0;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = t; i < 200; i += 4) {
          Bytes one(512);
          (*crypt)->encrypt(1000 + i, ByteSpan(plain).subspan(i * 512, 512), one, {});
          if (!equal(one, ByteSpan(whole).subspan(i * 512, 512))) ++wrong;
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0u) << spec;
    (*crypt)->decrypt(1000, whole, {}, whole);
    EXPECT_EQ(whole, plain) << spec;
  }
}

SectorParams with_tags(std::string_view spec, std::uint32_t record_size, bool is_aead = true) {
  SectorParams made = params(spec);
  made.record_size = record_size;
  made.is_aead = is_aead;
  return made;
}

TEST(SectorCrypt, FindsSectorsWithoutTheirTags) {
  for (const auto& [spec, key_size, record_size] :
       {std::tuple("capi:gcm(aes)-random", 32, 28), std::tuple("capi:gcm(aes)-plain64", 16, 16),
        std::tuple("capi:rfc4309(ccm(aes))-random", 19, 24),
        std::tuple("capi:rfc7539(chacha20,poly1305)-random", 32, 28),
        std::tuple("capi:authenc(hmac(sha256),xts(aes))-random", 96, 48),
        std::tuple("capi:authenc(hmac(sha256),cbc(aes))-essiv:sha256", 64, 32)}) {
    const auto made = SectorCrypt::create(with_tags(spec, record_size), pattern(key_size, 3));
    ASSERT_TRUE(made) << spec << ": " << made.error().message();
    const SectorCrypt& crypt = **made;
    constexpr std::size_t kSectors = 150;
    const Bytes plain = crypto::random_bytes(kSectors * 512);
    Bytes sealed(plain.size()), records(kSectors * record_size), out(plain.size());
    crypt.encrypt(8, plain, sealed, records);
    EXPECT_EQ(crypt.decrypt(8, sealed, records, out), std::vector<std::size_t>()) << spec;
    EXPECT_EQ(out, plain) << spec;

    // The tag covers the sector's number; a sector that was never written has no tag.
    EXPECT_EQ(crypt.decrypt(9, sealed, records, out).size(), kSectors) << spec;
    EXPECT_EQ(out, Bytes(out.size())) << spec;
    EXPECT_EQ(crypt.decrypt(8, Bytes(512), Bytes(record_size), MutableByteSpan(out).first(512)),
              std::vector<std::size_t>{0})
        << spec;

    for (const std::size_t byte : {std::size_t{0}, std::size_t(record_size - 1)}) {
      Bytes changed = records;
      changed[100 * record_size + byte] ^= std::byte{1};
      EXPECT_EQ(crypt.decrypt(8, sealed, changed, out), std::vector<std::size_t>{100})
          << spec << " byte " << byte;
      EXPECT_TRUE(equal(ByteSpan(out).subspan(100 * 512, 512), Bytes(512))) << spec;
      EXPECT_TRUE(equal(ByteSpan(out).first(100 * 512), ByteSpan(plain).first(100 * 512))) << spec;
    }
  }
}

TEST(SectorCrypt, KeepsRandomIvsWithoutTags) {
  const auto crypt =
      SectorCrypt::create(with_tags("capi:xts(aes)-random", 16, false), pattern(64, 3));
  ASSERT_TRUE(crypt) << crypt.error().message();
  const Bytes plain(4 * 512);
  Bytes once(plain.size()), again(plain.size()), records(4 * 16), other_records(4 * 16);
  (*crypt)->encrypt(0, plain, once, records);
  (*crypt)->encrypt(0, plain, again, other_records);
  EXPECT_NE(once, again);
  EXPECT_NE(records, other_records);
  EXPECT_TRUE((*crypt)->decrypt(0, once, records, once).empty());
  EXPECT_EQ(once, plain);
}

TEST(SectorCrypt, FillsLongerRecordsWithZeros) {
  const auto crypt =
      SectorCrypt::create(with_tags("capi:xts(aes)-random", 32, false), pattern(64, 3));
  ASSERT_TRUE(crypt) << crypt.error().message();
  Bytes sector(512), record(32, std::byte{0xff});
  (*crypt)->encrypt(0, sector, sector, record);
  EXPECT_TRUE(equal(ByteSpan(record).subspan(16), Bytes(16)));
  EXPECT_FALSE(equal(ByteSpan(record).first(16), Bytes(16)));
}

std::string refusal(const SectorParams& params, std::size_t key_size) {
  const auto crypt = SectorCrypt::create(params, pattern(key_size, 3));
  return crypt ? "accepted" : crypt.error().message();
}

TEST(SectorCrypt, RefusesInTheKernelsWords) {
  const auto says = [](const SectorParams& params, std::size_t key_size, std::string_view what) {
    const std::string said = refusal(params, key_size);
    EXPECT_TRUE(said.starts_with(what)) << params.spec.text << ": " << said;
  };
  EXPECT_EQ(refusal(params("aes-xts-plain64", 4096, true, 8), 64), "accepted");
  says(params("aes-xts-plain64", 4096, true, 4), 64, "Invalid iv_offset sector");
  for (const std::uint32_t size : {0u, 256u, 1000u, 8192u})
    says(params("aes-xts-plain64", size), 64, "Invalid feature value for sector_size");
  says(params("aes-xts-plain64"), 63, "Error decoding and setting key");
  says(params("aes-xts-plain64"), 0, "Error decoding and setting key");
  says(params("nonsense-xts-plain64"), 64, "Error allocating crypto tfm");
  says(params("aes-nonsense-plain64"), 64, "Error allocating crypto tfm");
  says(params("aes-xts-nonsense"), 64, "Invalid IV mode: 'nonsense'");
  says(params("capi:xts(aes)"), 64, "IV mechanism required");
  says(params("aes-cbc-essiv:sha1"), 32,
       "Error decoding and setting key: a hash of sha1 is not a key of aes");
  says(params("aes-cbc-essiv:sha7"), 32, "Error allocating crypto tfm: unknown hash");
  says(params("aes:64-cbc-plain64"), 16, "Error decoding and setting key");
  says(params("aes:2-cbc-plain64"), 33, "Error decoding and setting key");
  says(params("aes:64-cbc-lmk", 4096), 1024, "Error creating IV: Unsupported sector size for LMK");
  says(params("aes-xts-lmk"), 64, "Error creating IV: lmk needs cbc");
  says(params("aes:64-cbc-lmk"), 1025, "Error decoding and setting key");
  says(params("aes-cbc-tcw", 1024), 48, "Error creating IV: Unsupported sector size for TCW");
  says(params("aes-cbc-tcw"), 32, "Error decoding and setting key");
  says(params("aes-cbc-elephant"), 47, "Error decoding and setting key");
  says(params("aes-ctr-eboiv"), 32, "Error creating IV: Block size of EBOIV cipher");
  says(params("aes-xts-random"), 64, "Integrity profile not supported");
  says(with_tags("aes-gcm-random", 28), 32, "Bad cipher specification");
  says(with_tags("capi:authenc(hmac(sha256),cbc(aes))-lmk", 32), 4096,
       "Error creating IV: lmk with");
  says(with_tags("capi:gcm(aes)-random", 12), 32, "Not enough space for integrity tag");
  says(with_tags("capi:gcm(aes)-random", 17), 32, "Integrity AEAD auth tag size is not supported");
  says(with_tags("capi:gcm(aes)-plain64", 0), 32, "Invalid integrity arguments");
  says(with_tags("capi:gcm(aes)-plain64", 481), 32, "Invalid integrity arguments");
  says(with_tags("capi:gcm(aes)-eboiv", 16), 32,
       "Error creating IV: AEAD transforms not supported for EBOIV");
  says(with_tags("capi:gcm(aes)-essiv:sha256", 16), 32, "Error allocating crypto tfm");
  says(with_tags("capi:xts(aes)-plain64", 16), 64, "Error allocating crypto tfm");
  says(with_tags("capi:xts(aes)-random", 8, false), 64, "Not enough space for integrity tag");
  says(with_tags("capi:authenc(hmac(sha256),xts(aes))-plain64", 33), 96,
       "Integrity AEAD auth tag size is not supported");
}

}  // namespace
}  // namespace intact::crypt
