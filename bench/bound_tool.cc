// bound_tool LAYER...: the work that nobody who seals these layers can avoid, with the same
// libraries: SHA-256 of each blob, inflating it, SHA-256 of what comes out, and its fs-verity
// digest.
#include <cstdio>

#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/base/stream.h>
#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>
#include <intact/oci/decompress.h>

namespace {

using namespace intact;

Result<void> hash_stream(ByteStream& stream, fsverity::TreeBuilder* tree) {
  crypto::Hasher hasher(HashAlgorithm::sha256);
  Bytes buffer(256 << 10);
  while (const std::size_t n = TRY(stream.read(buffer))) {
    hasher.update(ByteSpan(buffer).first(n));
    if (tree) tree->update(ByteSpan(buffer).first(n));
  }
  std::puts(hasher.finish().to_string().c_str());
  if (tree) std::puts(tree->finish().digest.to_string().c_str());
  return {};
}

Result<void> work(const char* layer) {
  FileStream blob(TRY(open_file(layer, O_RDONLY)));
  TRY(hash_stream(blob, nullptr));
  const auto plain =
      TRY(oci::decompress(std::make_unique<FileStream>(TRY(open_file(layer, O_RDONLY)))));
  fsverity::TreeBuilder tree;
  return hash_stream(*plain, &tree);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (const auto done = work(argv[i]); !done) {
      std::fprintf(stderr, "%s: %s\n", argv[i], done.error().message().c_str());
      return 1;
    }
  }
  return 0;
}
