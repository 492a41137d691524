// Any layer is refused or applied, in one piece or over itself.
#include <memory>

#include <intact/oci/layer_applier.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  tree::Tree tree;
  oci::NullSink sink;
  oci::LayerApplier applier(tree, sink);
  for (int i = 0; i < 2; ++i) {
    MemoryStream stream(Bytes(bytes.begin(), bytes.end()));
    if (!applier.apply(stream)) return 0;
  }
  (void)applier.finish();
  return 0;
}
