// Whatever begins or ends a file, what it is said to contain is in it and can be printed.
#include <intact/block/memory_device.h>
#include <intact/json/json.h>
#include <intact/stack/discover.h>
#include <intact/stack/plan.h>
#include <intact/verity/probe.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  const auto file = std::make_shared<block::MemoryDevice>(Bytes(bytes.begin(), bytes.end()));
  for (const auto offset :
       {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(size / 2)}) {
    const auto said = std::make_shared<verity::Credentials>();
    said->superblock_at = offset;
    const auto layers = stack::probe(file, {said});
    fuzz::require(layers.has_value() && layers->size() <= stack::kMaxTables + 2);
    for (const stack::Content& layer : *layers) {
      fuzz::require(layer.offset < size && layer.facts.is_object());
      fuzz::require(parse_json(to_text(layer.facts)).has_value());
    }
  }
  return 0;
}
