// Our trees and digests beside those of fsverity-utils, where it is installed.

#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <intact/fsverity/tree.h>

#include "test_content.h"

namespace intact::fsverity {
namespace {

TEST(Peer, FsverityMakesTheSameTreeDescriptorAndDigest) {
  if (std::system("fsverity --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "fsverity (package fsverity) is not installed";
  const TempDir dir = TempDir::create().value();
  const auto read = [&](const char* name) { return read_file(dir.path(name), 64 << 20).value(); };
  const Params variants[] = {
      {},
      {.algorithm = HashAlgorithm::sha512},
      {.block_size = 1024},
      {.algorithm = HashAlgorithm::sha512,
       .block_size = 1024,
       .salt =
           from_hex("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff").value()},
      {.block_size = 65536, .salt = from_hex("ab").value()},
  };
  for (const std::size_t size : {0, 1, 1025, 4096, 4097, 524288, 524289, 1048577, 3'000'000}) {
    const ContentFile file(pattern(size));
    for (const Params& params : variants) {
      const std::string command = fmt::format(
          "fsverity digest --hash-alg={} --block-size={} --salt={} --out-merkle-tree='{}' "
          "--out-descriptor='{}' --compact '{}' > '{}'",
          to_string(params.algorithm), params.block_size, to_hex(params.salt), dir.path("tree"),
          dir.path("descriptor"), file.path(), dir.path("digest"));
      SCOPED_TRACE(command);
      ASSERT_EQ(std::system(command.c_str()), 0);
      const MerkleTree tree = build_tree(file.fd(), params).value();
      EXPECT_EQ(as_text(read("digest")), tree.digest.hex() + "\n");
      EXPECT_EQ(read("tree"), tree.blocks);
      EXPECT_TRUE(equal(read("descriptor"), bytes_of(tree.descriptor)));
    }
  }
}

}  // namespace
}  // namespace intact::fsverity
