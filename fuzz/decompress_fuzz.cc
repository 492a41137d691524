// Any stream is refused or ends, within its limits.
#include <array>
#include <memory>

#include <intact/oci/decompress.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  constexpr oci::DecompressLimits kLimits{
      .output_bytes = 1 << 20, .ratio = 200, .ratio_from = 1 << 16};
  auto stream =
      oci::decompress(std::make_unique<MemoryStream>(Bytes(bytes.begin(), bytes.end())), kLimits);
  if (!stream) return 0;
  std::array<std::byte, 4096> buffer;
  std::uint64_t total = 0;
  for (;;) {
    const auto count = (*stream)->read(buffer);
    if (!count || *count == 0) return 0;
    total += *count;
    fuzz::require(total <= kLimits.output_bytes);
  }
}
