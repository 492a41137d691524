#include <algorithm>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/linear_target.h>
#include <intact/dm/target.h>

namespace intact::dm {

Result<std::shared_ptr<block::Device>> part_of_device(Arguments& arguments, std::uint64_t sectors,
                                                      Names& names, const Opening& opening) {
  const std::string word = TRY(arguments.word("device"));
  auto device = TRY(names.device(word));
  const auto offset = checked_multiply(TRY(arguments.number("start sector")), kSectorSize);
  const auto length = checked_multiply(sectors, kSectorSize);
  if (!offset || !length || *offset > device->size() || device->size() - *offset < *length)
    return arguments.wrong("start sector",
                           fmt::format("within {}, which has {} sectors, with {} after it", word,
                                       device->size() / kSectorSize, sectors));
  TRY(opening.claim(*device, *offset, *length).context(arguments.target()));
  return std::shared_ptr<block::Device>(
      TRY(block::LinearTarget::open(std::move(device), {.offset = *offset, .length = *length})));
}

Result<crypto::Secret> with_kernel_names(const Line& line, const KernelName& kernel_name,
                                         std::initializer_list<std::size_t> devices) {
  Line kernel_line = line;
  for (const std::size_t i : devices)
    if (i < kernel_line.arguments.size())
      kernel_line.arguments[i] = TRY(kernel_name(kernel_line.arguments[i]));
  std::string text;
  for (const std::string& word : kernel_line.arguments) text += (text.empty() ? "" : " ") + word;
  return crypto::Secret::copy_of(as_bytes(text));
}

}  // namespace intact::dm
