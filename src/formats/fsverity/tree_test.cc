#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>

#include "test_content.h"

namespace intact::fsverity {
namespace {

using testing::StartsWith;

struct Vector {
  std::size_t size;
  const char* sha256;       // 4096
  const char* sha512;       // 4096; this and the others: the first 32 digits
  const char* sha256_1k;    // 1024
  const char* sha256_64k;   // 65536
  const char* sha256_salt;  // 4096, salt 00112233
};

// Made with fsverity-utils 1.5.
constexpr Vector kVectors[] = {
    {0, "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
     "ccf9e5aea1c2a64efa2f2354a6024b90", "f2cca36b9b1b7f07814e4284b1012180",
     "37a711c20e34543da6c1507ccc4e0425", "2a1c9a25aca1cf6bfaa9892d9cf428d7"},
    {1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551",
     "9fcf5172b085b1c8f9365eecb37a1869", "564b7eb7ffda106d78a6b4aa08076901",
     "2bf8e70e6026186d0dea582792c253f8", "30f61af29520f7d65d3a275bb2e16000"},
    {4096, "dba6800c0bddc2369f4f0ab54798f65f5a8c1f49adc4a4792a831ff4b093e2d7",
     "4f4e6978b5ce371c6e0dc1efc9308d90", "5d293ed0ad940c3727c4baca4aa3dc92",
     "a4dab3da929160089e47a4bac39f3e7c", "7372bfff2b602d4d87454d7ae8b4f7ef"},
    {4097, "fefe00b4a113721b31dbc100ba46ff68ba3c9ca6dc62c6a3c1e71db190c68f9f",
     "eb7d177cfe47ea2c38da12df22cea240", "52cbfdfcd15752ffd4f943b853263dd4",
     "5e195c462922e14e866ceca0426cbdc3", "4d69735ce6373346fcd5055468ff9d57"},
    {524288, "eaae8cbd17127f6514707a04477de56880466f212f12d13c4397e929b54d8f5a",
     "0937be6f44e1812ba8b096610647758a", "977297ae256c16fd80f8d8aaa62be836",
     "206aa2359e76ed8ea4785f4af4050aca", "a4d95d160d82a7f3e795182da9f83363"},
    {524289, "0e3b4b2d25eb9005be08661772bd35783c1fba25ba74e6a63693f072dad036ce",
     "06decb330ef498d9820998e286a72e90", "6458c2121544c6b2a1176cb960d0b2b2",
     "fdb8e1aff4c226a1fc9cedb8f7d19825", "9db30b513f23131bc7e25ad764d707c6"},
    {1000000, "3f6758d4cc49ae9d327cfbf39bc81b12f9c0c45d2355f452b0b7bbd8bf4c4fb9",
     "d4a03dbb9730b05a4d0e13d40aa918cb", "1aba269ed476b50a8e23edb7b0126da6",
     "e17030205585e194dfd29c978e59da72", "ae473f5b9bdff1dfc3671c67ce3d73cc"},
};

const Params kSha512{.algorithm = HashAlgorithm::sha512};
const Params k1k{.block_size = 1024};
const Params k64k{.block_size = 65536};
const Params kSalted{.salt = from_hex("00112233").value()};

TEST(Digest, GoldenVectors) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.size);
    const Bytes content = pattern(vector.size);
    EXPECT_EQ(digest_of(content).hex(), vector.sha256);
    EXPECT_THAT(digest_of(content, kSha512).hex(), StartsWith(vector.sha512));
    EXPECT_THAT(digest_of(content, k1k).hex(), StartsWith(vector.sha256_1k));
    EXPECT_THAT(digest_of(content, k64k).hex(), StartsWith(vector.sha256_64k));
    EXPECT_THAT(digest_of(content, kSalted).hex(), StartsWith(vector.sha256_salt));
  }
}

TEST(Digest, HelloWorld) {
  const ByteSpan content = as_bytes("hello world");
  EXPECT_EQ(digest_of(content).hex(),
            "1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64");
  EXPECT_THAT(digest_of(content, kSha512).hex(), StartsWith("18430270729d162d4e469daca123ae61"));
  EXPECT_THAT(digest_of(content, k1k).hex(), StartsWith("1f66cd0c4669e8ed5356a7b2f97953c2"));
  EXPECT_THAT(digest_of(content, k64k).hex(), StartsWith("e43fbd1c2c18e909fb47a2fb28766829"));
  EXPECT_THAT(digest_of(content, kSalted).hex(), StartsWith("26ffcf1d2ef91ccc2facdd567e94f674"));
}

/// The definition, word for word: hash the blocks, then the blocks of hashes, until one is left.
struct Reference {
  Bytes root;
  Bytes blocks;
};

Bytes hash_blocks(Bytes bytes, const Params& params) {
  bytes.resize((bytes.size() + params.block_size - 1) / params.block_size * params.block_size);
  Bytes salt = params.salt;
  if (!salt.empty()) salt.resize(params.algorithm == HashAlgorithm::sha256 ? 64 : 128);
  Bytes hashes;
  for (std::size_t at = 0; at < bytes.size(); at += params.block_size) {
    crypto::Hasher hasher(params.algorithm);
    const Digest digest =
        hasher.update(salt).update(ByteSpan(bytes).subspan(at, params.block_size)).finish();
    hashes.insert(hashes.end(), digest.bytes().begin(), digest.bytes().end());
  }
  return hashes;
}

Reference reference(const Bytes& content, const Params& params) {
  if (content.empty()) return {Bytes(digest_size(params.algorithm)), {}};
  Reference result{hash_blocks(content, params), {}};
  while (result.root.size() > digest_size(params.algorithm)) {
    Bytes level = result.root;
    level.resize((level.size() + params.block_size - 1) / params.block_size * params.block_size);
    result.blocks.insert(result.blocks.begin(), level.begin(), level.end());
    result.root = hash_blocks(result.root, params);
  }
  return result;
}

void expect_matches_reference(const Bytes& content, const Params& params) {
  const std::size_t size = content.size();
  SCOPED_TRACE(size);
  const Reference expected = reference(content, params);
  TreeBuilder builder(params, true);
  builder.update(content);
  const MerkleTree tree = builder.finish();
  EXPECT_EQ(tree.data_size, size);
  EXPECT_EQ(tree.blocks, expected.blocks);
  EXPECT_EQ(tree.blocks.size(), tree_size(size, params));
  EXPECT_EQ(tree.descriptor.data_size.get(), size);
  EXPECT_TRUE(equal(ByteSpan(tree.descriptor.root).first(expected.root.size()), expected.root));
  EXPECT_EQ(tree.digest, crypto::hash(params.algorithm, bytes_of(tree.descriptor)));
  EXPECT_EQ(tree.digest, digest_of(content, params));
}

void expect_matches_reference(std::size_t size, const Params& params) {
  expect_matches_reference(pattern(size), params);
}

TEST(Tree, BoundarySizes) {
  constexpr std::size_t kBlock = 4096;
  for (const Params& params : {Params(), kSha512, kSalted})
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock,
          16 * kBlock - 1, 16 * kBlock, 16 * kBlock + 1, 64 * kBlock, 64 * kBlock + 1,
          128 * kBlock - 1, 128 * kBlock, 128 * kBlock + 1, 129 * kBlock, 256 * kBlock + 1})
      expect_matches_reference(size, params);
}

TEST(Tree, ThirdLevel) {
  expect_matches_reference(Bytes(128 * 128 * 4096 + 1), {});
  // 32 hashes in a block.
  constexpr std::size_t kSecond = 32 * 32 * 1024;
  for (const std::size_t size : {kSecond - 1, kSecond, kSecond + 1, kSecond + 1025})
    expect_matches_reference(size, k1k);
  // 16 hashes in a block: four levels.
  const Params params{.algorithm = HashAlgorithm::sha512, .block_size = 1024};
  expect_matches_reference(16 * 16 * 16 * 1024 + 1, params);
}

TEST(Tree, EveryNumberOfBlocks) {
  const Params params{.block_size = 128};  // four hashes in a block: many levels soon
  for (std::size_t size = 0; size < 128 * 300; size += 127) expect_matches_reference(size, params);
}

TEST(Tree, AnyPiecesGiveTheSameTree) {
  constexpr std::size_t kSize = 700'000;
  const Bytes content = pattern(kSize);
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (const Params& params : {Params(), k1k, k64k}) {
    TreeBuilder whole(params, true);
    whole.update(content);
    const MerkleTree expected = whole.finish();
    for (const std::size_t largest : {1000u, 5000u, 70'000u, 300'000u}) {
      TreeBuilder kept(params, true);
      TreeBuilder not_kept(params);
      for (std::size_t at = 0; at < kSize;) {
        const std::size_t n = std::min<std::size_t>(random() % (largest + 1), kSize - at);
        kept.update(ByteSpan(content).subspan(at, n));
        not_kept.update(ByteSpan(content).subspan(at, n));
        at += n;
      }
      const MerkleTree tree = kept.finish();
      EXPECT_EQ(tree.digest, expected.digest) << largest;
      EXPECT_EQ(tree.blocks, expected.blocks) << largest;
      const MerkleTree bare = not_kept.finish();
      EXPECT_EQ(bare.digest, expected.digest) << largest;
      EXPECT_TRUE(bare.blocks.empty());
    }
  }
}

TEST(Tree, BuilderStartsAnewAfterFinish) {
  TreeBuilder builder({}, true);
  builder.update(pattern(524289));
  EXPECT_EQ(builder.finish().digest.hex(), kVectors[5].sha256);
  EXPECT_EQ(builder.finish().digest.hex(), kVectors[0].sha256);
  builder.update(pattern(4097));
  EXPECT_EQ(builder.finish().digest.hex(), kVectors[3].sha256);
}

TEST(Tree, FileGivesTheSameAsMemory) {
  for (const Vector& vector : kVectors) {
    const ContentFile file(pattern(vector.size));
    EXPECT_EQ(digest_file(file.fd()).value().hex(), vector.sha256);
    const MerkleTree tree = build_tree(file.fd()).value();
    EXPECT_EQ(tree.digest.hex(), vector.sha256);
    EXPECT_EQ(tree.blocks, reference(pattern(vector.size), {}).blocks);
  }
}

TEST(Tree, AnyNumberOfThreadsGivesTheSame) {
  for (const Params& params : {Params(), k1k, k64k, kSalted}) {
    for (const std::size_t size : {(4u << 20) - 1, 4u << 20, (4u << 20) + 1, (9u << 20) + 5000}) {
      const Bytes content = pattern(size);
      const ContentFile file(content);
      TreeBuilder builder(params, true);
      builder.update(content);
      const MerkleTree expected = builder.finish();
      for (const unsigned threads : {0, 1, 2, 5}) {
        const MerkleTree tree = build_tree(file.fd(), params, true, threads).value();
        EXPECT_EQ(tree.data_size, size);
        EXPECT_EQ(tree.digest, expected.digest) << size << " bytes, " << threads << " threads";
        EXPECT_EQ(tree.blocks, expected.blocks) << size << " bytes, " << threads << " threads";
      }
    }
  }
}

TEST(Tree, ThreadsOnAFileOfManyStretches) {
  ContentFile file(pattern(5000));
  file.resize((std::uint64_t{256} << 20) + 12345);
  file.flip(200 << 20);
  EXPECT_EQ(digest_file(file.fd(), {}, 3).value(), digest_file(file.fd()).value());
}

TEST(Tree, ManyContentsTogether) {
  std::vector<Bytes> contents;
  for (const std::size_t size : {4096, 0, 1, 4095, 4097, 64 * 4096, 0, 64, 128 * 1024, 131071,
                                 131073, 131072, 600000, 5000, 8192})
    contents.push_back(pattern(size + contents.size()));
  for (std::size_t i = 0; i < 100; ++i) contents.push_back(pattern(i * 97));
  const std::vector<ByteSpan> spans(contents.begin(), contents.end());
  const std::vector<MerkleTree> trees = build_trees(spans);
  ASSERT_EQ(trees.size(), contents.size());
  for (std::size_t i = 0; i < trees.size(); ++i) {
    TreeBuilder builder({}, true);
    builder.update(spans[i]);
    const MerkleTree expected = builder.finish();
    EXPECT_EQ(trees[i].data_size, spans[i].size());
    EXPECT_EQ(trees[i].digest, expected.digest) << i;
    EXPECT_EQ(trees[i].blocks, expected.blocks) << i;
  }
  EXPECT_TRUE(build_trees({}).empty());
}

TEST(Tree, ABatchForAnyParamsMayBeUsedAgain) {
  for (const Params& params : {Params{}, Params{.salt = pattern(7)}, kSha512,
                               Params{.block_size = 1024}, Params{.block_size = 1 << 17}}) {
    TreeBatch batch(params);
    for (int round = 0; round < 2; ++round) {
      std::vector<Digest> expected;
      for (const std::size_t size : {1, 5000, 131072, 131071, 0, 100000, 4096}) {
        const Bytes content = pattern(size + round);
        if (content.size() > TreeBatch::kMaxContent) continue;
        expected.push_back(digest_of(content, params));
        std::ranges::copy(content, batch.add(content.size()).begin());
      }
      const std::vector<MerkleTree> trees = batch.finish();
      ASSERT_EQ(trees.size(), expected.size());
      for (std::size_t i = 0; i < trees.size(); ++i) {
        EXPECT_EQ(trees[i].digest, expected[i]) << i;
        EXPECT_TRUE(trees[i].blocks.empty());
      }
    }
  }
}

TEST(Tree, DirectoriesAndBadParamsAreRefused) {
  const UniqueFd directory = open_file("/", O_RDONLY | O_DIRECTORY).value();
  EXPECT_EQ(digest_file(directory.get()).error().kind(), ErrorKind::invalid_argument);
  const ContentFile file(pattern(10));
  EXPECT_EQ(digest_file(file.fd(), {.block_size = 1000}).error().kind(),
            ErrorKind::invalid_argument);
  EXPECT_TRUE(digest_file(file.fd()));
}

TEST(Tree, BuiltinSignatureForm) {
  const Digest digest = digest_of(as_bytes("hello world"));
  EXPECT_EQ(to_hex(format_for_builtin_signature(digest)),
            "465356657269747901002000" + digest.hex());
  EXPECT_EQ(to_hex(format_for_builtin_signature(digest_of({}, kSha512))).substr(0, 24),
            "465356657269747902004000");
}

}  // namespace
}  // namespace intact::fsverity
