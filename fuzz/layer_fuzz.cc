// Any layer is refused or applied, in one piece or over itself; also with its checksums put right,
// which the fuzzer could not guess.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <intact/oci/layer_applier.h>
#include <intact/oci/testing/null_sink.h>

#include "fuzz.h"

namespace {

using namespace intact;

constexpr std::size_t kBlock = 512, kSizeField = 124, kChecksumField = 148;

/// Gives each block that would be read as a header the checksum that makes it one.
void fix_checksums(Bytes& tar) {
  std::size_t at = 0;
  while (tar.size() - at >= kBlock) {
    const auto block = tar.begin() + static_cast<std::ptrdiff_t>(at);
    const auto field = block + static_cast<std::ptrdiff_t>(kChecksumField);
    std::fill_n(field, 8, std::byte{' '});
    unsigned sum = 0;
    std::for_each_n(block, kBlock, [&](std::byte b) { sum += std::to_integer<unsigned>(b); });
    const bool blank = sum == 8u * ' ';
    char text[8] = {};
    if (!blank) std::snprintf(text, sizeof text, "%06o", sum);
    std::transform(std::begin(text), std::end(text), field, [](char c) { return std::byte(c); });
    if (blank) return;
    const std::string size(reinterpret_cast<const char*>(tar.data()) + at + kSizeField, 12);
    const std::uint64_t content = std::strtoull(size.c_str(), nullptr, 8);
    at += kBlock;
    if (content > tar.size() - at) return;
    at += static_cast<std::size_t>((content + kBlock - 1) / kBlock * kBlock);
    if (at > tar.size()) return;
  }
}

void apply_twice(const Bytes& tar) {
  tree::Tree tree;
  oci::NullSink sink;
  // Holes cost time by their size, which a few bytes can say.
  oci::LayerApplier applier(tree, sink, {.tar = {.hole_bytes = 1 << 20}, .entries = 100'000});
  for (int i = 0; i < 2; ++i) {
    MemoryStream stream{Bytes(tar)};
    if (!applier.apply(stream)) return;
  }
  (void)applier.finish();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = fuzz::input(data, size);
  Bytes tar(bytes.begin(), bytes.end());
  apply_twice(tar);
  fix_checksums(tar);
  apply_twice(tar);
  return 0;
}
