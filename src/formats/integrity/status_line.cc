#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include <intact/integrity/inspect.h>

namespace intact::integrity {
namespace {

/// Takes a number and the space after it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || (length != text.size() && text[length] != ' ')) return std::nullopt;
  text.remove_prefix(std::min(length + 1, text.size()));
  return number;
}

}  // namespace

Result<StatusLine> parse_status(std::string_view line) {
  std::string_view rest = line;
  const auto mismatches = take_number(rest);
  const auto provided = mismatches ? take_number(rest) : std::nullopt;
  if (!provided)
    return Error(ErrorKind::malformed,
                 fmt::format("unexpected status line of the kernel: {}", line));
  // "-" if nothing was ever recalculated.
  return StatusLine{.mismatches = *mismatches,
                    .provided_data_sectors = *provided,
                    .recalc_sector = take_number(rest)};
}

}  // namespace intact::integrity
