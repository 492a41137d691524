// Any dump is refused or becomes a tree whose image reads back and is written again bit for bit.
#include <memory>

#include <intact/composefs/dump.h>
#include <intact/composefs/read.h>
#include <intact/composefs/write.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  MemoryStream stream(Bytes(bytes.begin(), bytes.end()));
  const auto tree = composefs::parse_dump(stream);
  if (!tree) return 0;
  const auto image = composefs::write_image(*tree);
  if (!image) return 0;
  const auto again = composefs::read_tree(std::make_shared<MemorySource>(*image));
  if (!again) return 0;  // a tree that mkcomposefs writes and that nobody should believe
  const auto info = composefs::read_info(std::make_shared<MemorySource>(*image));
  const auto second = composefs::write_image(
      *again, {.min_version = info->format_version, .max_version = info->format_version});
  fuzz::require(second.has_value() && *second == *image);
  return 0;
}
