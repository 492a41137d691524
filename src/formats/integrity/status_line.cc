#include <algorithm>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/integrity/inspect.h>

namespace intact::integrity {
namespace {}  // namespace

Result<StatusLine> parse_status(std::string_view line) {
  std::string_view rest = line;
  const auto mismatches = whole_number(take_until(rest, ' '));
  const auto provided = mismatches ? whole_number(take_until(rest, ' ')) : std::nullopt;
  if (!provided)
    return Error(ErrorKind::malformed,
                 fmt::format("unexpected status line of the kernel: {}", line));
  // "-" if nothing was ever recalculated.
  return StatusLine{.mismatches = *mismatches,
                    .provided_data_sectors = *provided,
                    .recalc_sector = whole_number(take_until(rest, ' '))};
}

}  // namespace intact::integrity
