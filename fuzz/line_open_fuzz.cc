// Devices of every target, opened from a line on devices with any content, for reading and for
// writing: all of it fails or works, nothing is read or written beyond the ends, and what was
// written is read again.
#include <memory>
#include <string>

#include <intact/block/byte_device.h>
#include <intact/block/memory_device.h>
#include <intact/dm/line.h>
#include <intact/stack/stack.h>

#include "fuzz.h"

namespace {

using namespace intact;

constexpr std::size_t kSize = 96 << 10;  // bytes of each device
constexpr std::uint64_t kMaxSectors = 2 * kSize / dm::kSectorSize;

/// The bytes from `begin` on, then zeros.
std::shared_ptr<block::MemoryDevice> device(ByteSpan bytes, std::size_t begin) {
  Bytes content(kSize);
  const ByteSpan given = bytes.subspan(std::min(begin, bytes.size()));
  std::ranges::copy(given.first(std::min(given.size(), kSize)), content.begin());
  return std::make_shared<block::MemoryDevice>(std::move(content));
}

/// dm-delay would delay, and errors of dm-flakey come with time.
bool takes_time(const std::vector<dm::Line>& lines) {
  return std::ranges::any_of(lines, [](const dm::Line& line) { return line.target == "delay"; });
}

void use(stack::Stack& stack, bool keeps) {
  const auto top = std::make_shared<block::ByteDevice>(stack.top());
  Bytes out(std::min<std::uint64_t>(top->size(), 4096));
  (void)top->read(0, out);
  (void)top->read(top->size() - out.size(), out);
  fuzz::require(!top->read(top->size(), MutableByteSpan(out)) || out.empty());
  const Bytes text(out.size(), std::byte{0x5a});
  if (top->writable() && top->write(0, text) && keeps && top->read(0, out))
    fuzz::require(out == text);
  (void)stack.status();
  (void)stack.close();
}

}  // namespace

/// A table; then, after a zero byte, the content of the devices dm:a and dm:b, which is that of the
/// first from its middle on.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = fuzz::input(data, size);
  const std::string_view all = as_text(bytes);
  const std::string_view text = all.substr(0, all.find('\0'));
  const ByteSpan content = bytes.subspan(std::min(text.size() + 1, bytes.size()));
  const auto lines = dm::parse_lines(text);
  if (!lines || lines->back().start + lines->back().sectors > kMaxSectors || takes_time(*lines))
    return 0;
  // What is written to these two need not be there afterwards.
  const bool keeps =
      text.find("flakey") == text.npos && text.find("zero") == text.npos && lines->size() == 1;
  for (const auto writing :
       {stack::Writing::never, stack::Writing::by_kernel, stack::Writing::as_files_allow}) {
    dm::Names names;
    names.add_device("a", device(content, 0));
    names.add_device("b", device(content, content.size() / 2));
    if (text.find(":fd:") != text.npos)  // the first has the number 10
      (void)names.add(
          std::make_shared<const crypto::Secret>(crypto::Secret::copy_of(Bytes(32, std::byte{7}))));
    stack::Stack stack((dm::File()));
    const dm::Table table{.name = "table", .lines = *lines};
    if (stack.open(table, names, "table", {}, writing)) use(stack, keeps);
  }
  return 0;
}
