#include <fmt/format.h>

#include <intact/base/damage.h>
#include <intact/base/visible.h>

namespace intact {

std::string damage_line(const Damage& damage, std::string_view nameless) {
  const std::string object = visible(damage.object);
  std::string line = !damage.path.empty() ? visible(damage.path) : std::string(nameless);
  const bool has_subject = !line.empty();
  if (!has_subject) line = object;
  if (damage.range)
    line += fmt::format(": block {} (byte {})", damage.range->first, damage.range->offset);
  if (has_subject && !object.empty()) line += " of " + object;
  return line + ": " + visible_message(damage.reason);
}

std::string range_text(const DamagedRange& range, std::string_view unit) {
  const std::string which = range.count == 1 ? fmt::format("{} {}", unit, range.first)
                                             : fmt::format("{}s {} to {}", unit, range.first,
                                                           range.first + range.count - 1);
  return fmt::format("{} (bytes {} to {})", which, range.offset, range.offset + range.bytes - 1);
}

}  // namespace intact
