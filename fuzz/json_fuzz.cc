// Any text is refused or becomes a document that reads back as itself.
#include <intact/json/json.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const auto document = parse_json(fuzz::input(data, size));
  if (document) fuzz::require(parse_json(document->dump()).value() == *document);
  return 0;
}
