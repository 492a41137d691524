#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

Error malformed(std::string_view what, std::string_view value) {
  return {ErrorKind::malformed, fmt::format("invalid value '{}' for {}", value, what)};
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

/// A path, or the link by udev for a specification such as "UUID=...".
std::string device_path(std::string_view field) {
  constexpr std::array kinds = {std::pair("UUID=", "by-uuid"), std::pair("LABEL=", "by-label"),
                                std::pair("PARTUUID=", "by-partuuid"),
                                std::pair("PARTLABEL=", "by-partlabel")};
  for (const auto& [prefix, folder] : kinds)
    if (field.starts_with(prefix))
      return fmt::format("/dev/disk/{}/{}", folder, field.substr(std::string_view(prefix).size()));
  return std::string(field);
}

Result<std::uint32_t> number(std::string_view key, std::string_view value) {
  if (const auto number = whole_number<std::uint32_t>(value)) return *number;
  return malformed(key, value);
}

/// Zero means the default.
std::optional<std::uint32_t> unless_zero(std::uint32_t value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

struct TimeUnit {
  std::string_view name;
  std::uint64_t microseconds;
};
/// systemd.time(7), up to what a commit time can be.
constexpr std::array kTimeUnits = {
    TimeUnit{"us", 1},
    TimeUnit{"usec", 1},
    TimeUnit{"ms", 1000},
    TimeUnit{"msec", 1000},
    TimeUnit{"s", 1000000},
    TimeUnit{"sec", 1000000},
    TimeUnit{"second", 1000000},
    TimeUnit{"seconds", 1000000},
    TimeUnit{"m", 60000000},
    TimeUnit{"min", 60000000},
    TimeUnit{"minute", 60000000},
    TimeUnit{"minutes", 60000000},
    TimeUnit{"h", 3600000000},
    TimeUnit{"hr", 3600000000},
    TimeUnit{"hour", 3600000000},
    TimeUnit{"hours", 3600000000},
};

/// A time in ms, or a time span as systemd writes it: "10s", "500ms", "1.5s", "1min30s".
Result<std::uint32_t> milliseconds(std::string_view key, std::string_view value) {
  constexpr std::string_view kDigits = "0123456789";
  if (value.find_first_not_of(kDigits) == std::string_view::npos) return number(key, value);
  std::uint64_t microseconds = 0;
  for (std::string_view rest = value; !rest.empty();) {
    const std::size_t digits = std::min(rest.find_first_not_of(kDigits), rest.size());
    if (digits == 0) return malformed(key, value);
    const std::uint64_t whole = TRY(number(key, rest.substr(0, digits)));
    rest.remove_prefix(digits);
    std::string fraction;
    if (rest.starts_with('.')) {
      const std::size_t end = std::min(rest.find_first_not_of(kDigits, 1), rest.size());
      fraction = rest.substr(1, end - 1);
      rest.remove_prefix(end);
      if (fraction.empty() || fraction.size() > 6) return malformed(key, value);
      fraction.resize(6, '0');
    }
    const std::size_t end = std::min(rest.find_first_of(kDigits), rest.size());
    const auto unit = std::ranges::find(kTimeUnits, rest.substr(0, end), &TimeUnit::name);
    if (unit == kTimeUnits.end()) return malformed(key, value);
    rest.remove_prefix(end);
    microseconds += whole * unit->microseconds;
    if (!fraction.empty())
      microseconds += TRY(number(key, fraction)) * unit->microseconds / 1000000;
    if (microseconds / 1000 > UINT32_MAX) return malformed(key, value);
  }
  return static_cast<std::uint32_t>(microseconds / 1000);
}

bool is_none(std::string_view field) {
  return field == "-" || field == "none";
}

Result<Mode> mode_named(std::string_view value) {
  if (value == "journal") return Mode::journal;
  if (value == "bitmap") return Mode::bitmap;
  if (value == "direct") return Mode::direct;
  return malformed("mode", value);
}

/// Options that only tell systemd when to set the device up.
bool concerns_systemd_only(std::string_view key) {
  return key == "noauto" || key == "nofail" || key == "_netdev" || key.starts_with("x-");
}

Result<void> apply_option(TabEntry& entry, std::string_view option) {
  const std::size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals);
  std::string_view value;
  if (equals != std::string_view::npos) value = option.substr(equals + 1);
  if (key == "allow-discards" && value.empty()) {
    entry.allow_discards = true;
  } else if (key == "journal-watermark") {
    if (value.ends_with('%')) value.remove_suffix(1);
    entry.journal_watermark = unless_zero(TRY(number(key, value)));
  } else if (key == "journal-commit-time") {
    entry.commit_time = unless_zero(TRY(milliseconds(key, value)));
  } else if (key == "mode") {
    entry.mode = TRY(mode_named(value));
  } else if (key == "data-device") {
    entry.data_device = device_path(value);
  } else if (key == "integrity-algorithm") {
    entry.algorithm = value;
  } else if (!concerns_systemd_only(key)) {
    return Error(ErrorKind::unsupported, fmt::format("unknown option '{}'", option));
  }
  return {};
}

Result<TabEntry> parse_fields(const std::vector<std::string_view>& fields) {
  if (fields.size() < 2 || fields.size() > 4)
    return Error(ErrorKind::malformed, "expected two to four fields");
  TabEntry entry{.device = device_path(fields[1])};
  if (fields.size() > 2 && !is_none(fields[2])) {
    entry.key_file = fields[2];
    entry.algorithm = "hmac-sha256";
  }
  if (fields.size() == 4 && !is_none(fields[3]))
    for (const std::string_view option : split(fields[3], ",")) TRY(apply_option(entry, option));
  return entry;
}

}  // namespace

Result<TabEntry> parse_tab(std::string_view text, std::string_view name) {
  for (const std::string_view line : split(text, "\n")) {
    const auto fields = split(line, " \t\r");
    if (fields.empty() || fields[0].starts_with('#') || fields[0] != name) continue;
    return parse_fields(fields).context(fmt::format("the line of '{}'", name));
  }
  return Error(ErrorKind::not_found, fmt::format("no line for '{}'", name));
}

void TabEntry::apply_to(StatedParams& stated) const {
  if (mode) {
    stated.bitmap_mode = *mode == Mode::bitmap;
    stated.no_journal = *mode == Mode::direct;
  }
  stated.journal_watermark = journal_watermark.value_or(stated.journal_watermark);
  stated.journal_commit_time = commit_time.value_or(stated.journal_commit_time);
  stated.allow_discards |= allow_discards;
}

}  // namespace intact::integrity
