// Tables of the device mapper: refused, or the same when written and read again; and devices opened
// from their lines, which read or fail but never leave their memory.
#include <memory>
#include <string>

#include <intact/block/memory_device.h>
#include <intact/dm/line.h>
#include <intact/stack/stack.h>

#include "fuzz.h"

namespace {

using namespace intact;

constexpr std::size_t kSize = 64 << 10;
constexpr std::uint64_t kMaxSectors = 1024;

bool is_small(const std::vector<dm::Line>& lines) {
  return lines.back().start + lines.back().sectors <= kMaxSectors;
}

void open_lines(const std::vector<dm::Line>& lines) {
  static const auto first = std::make_shared<block::MemoryDevice>(Bytes(kSize));
  static const auto second = std::make_shared<block::MemoryDevice>(Bytes(kSize, std::byte{7}));
  dm::Names names;
  names.add_device("a", first);
  names.add_device("b", second);
  stack::Stack stack((dm::File()));
  const dm::Table table{.name = "table", .lines = lines};
  if (!stack.open(table, names, "table", {}, stack::Writing::never)) return;
  for (const dm::Line& line : lines)
    if (line.target == "delay") return;  // it would
  Bytes out(512);
  (void)stack.top()->read(0, out);
  std::uint64_t end = 0;
  const auto found = block::for_each_extent(*stack.top(), [&](const block::Extent& extent) {
    fuzz::require(extent.offset == end && extent.length != 0);
    end += extent.length;
    return true;
  });
  fuzz::require(!found || end == stack.top()->size());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(fuzz::input(data, size));
  if (const auto lines = dm::parse_lines(text)) {
    const auto again = dm::parse_lines(dm::to_text(*lines));
    fuzz::require(again.has_value() && *again == *lines);
    if (is_small(*lines)) open_lines(*lines);
  }
  if (const auto tables = dm::parse_concise(text)) {
    const auto again = dm::parse_concise(dm::to_concise(*tables));
    fuzz::require(again.has_value() && *again == *tables);
  }
  return 0;
}
