// Any dump is refused or becomes a tree whose image reads back and is written again bit for bit.
#include <memory>
#include <optional>

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
  const auto rewrite = [](const Bytes& from) -> std::optional<Bytes> {
    const auto tree_again = composefs::read_tree(std::make_shared<MemorySource>(from));
    if (!tree_again) return std::nullopt;  // what mkcomposefs writes and nobody should believe
    const auto info = composefs::read_info(std::make_shared<MemorySource>(from));
    const auto written = composefs::write_image(
        *tree_again, {.min_version = info->format_version, .max_version = info->format_version});
    fuzz::require(written.has_value());
    return *written;
  };
  const auto second = rewrite(*image);
  if (!second) return 0;
  // Which of a file's names the dump called its first one is not in the image, and the order of the
  // inodes hangs on it: with hard links only the second reading sees what the first one saw.
  const bool has_links = as_text(bytes).find('@') != std::string_view::npos;
  fuzz::require(has_links ? rewrite(*second) == second : *second == *image);
  return 0;
}
