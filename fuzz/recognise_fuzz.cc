// Whatever begins or ends a file, what it is said to hold lies within it and can be printed.
#include <intact/json/json.h>
#include <intact/stack/recognise.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  const MemorySource file(Bytes(bytes.begin(), bytes.end()));
  for (const auto offset :
       {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(size / 2)}) {
    const auto layers = stack::recognise(file, offset);
    fuzz::require(layers.has_value() && layers->size() <= 2);
    for (const stack::Content& layer : *layers) {
      fuzz::require(layer.offset < size && layer.facts.is_object());
      fuzz::require(parse_json(to_text(layer.facts)).has_value());
    }
  }
  return 0;
}
