#include "integrity_tab.h"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace intact::cli {
namespace {

Error malformed(std::string_view what, std::string_view value) {
  return {ErrorKind::malformed, fmt::format("{} cannot be '{}'", what, value)};
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

/// A path, or what udev has made of a specification such as "UUID=...".
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
  std::uint32_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size()) return malformed(key, value);
  return result;
}

/// Zero stands for the default, for both numbers that there are.
Result<void> set_unless_zero(std::uint32_t& field, std::string_view key, std::string_view value) {
  if (const std::uint32_t given = TRY(number(key, value)); given != 0) field = given;
  return {};
}

Result<void> set_mode(IntegrityOptions& options, std::string_view value) {
  if (value != "journal" && value != "bitmap" && value != "direct") return malformed("mode", value);
  options.bitmap_mode = value == "bitmap";
  options.no_journal = value == "direct";
  return {};
}

/// What only says when systemd is to set the device up.
bool concerns_systemd_only(std::string_view key) {
  return key == "noauto" || key == "nofail" || key == "_netdev" || key.starts_with("x-");
}

Result<void> apply_option(IntegrityOptions& options, std::string_view option) {
  const std::size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals);
  std::string_view value;
  if (equals != std::string_view::npos) value = option.substr(equals + 1);
  if (key == "allow-discards" && value.empty()) {
    options.allow_discards = true;
    return {};
  }
  if (key == "journal-watermark") {
    if (value.ends_with('%')) value.remove_suffix(1);
    return set_unless_zero(options.journal_watermark, key, value);
  }
  if (key == "journal-commit-time") return set_unless_zero(options.journal_commit_time, key, value);
  if (key == "mode") return set_mode(options, value);
  if (key == "data-device") {
    options.data_device = device_path(value);
    return {};
  }
  if (key == "integrity-algorithm") {
    options.integrity.name = value;
    return {};
  }
  if (concerns_systemd_only(key)) return {};
  return Error(ErrorKind::unsupported, fmt::format("the option '{}' is not known", option));
}

Result<void> apply_fields(const std::vector<std::string_view>& fields, IntegrityOptions& options) {
  if (fields.size() < 2 || fields.size() > 4)
    return Error(ErrorKind::malformed, "a line has two to four fields");
  options.device = device_path(fields[1]);
  if (fields.size() > 2 && fields[2] != "-") {
    options.integrity.key_file = fields[2];
    options.integrity.name = "hmac-sha256";
  }
  if (fields.size() < 4 || fields[3] == "-") return {};
  for (const std::string_view option : split(fields[3], ",")) TRY(apply_option(options, option));
  return {};
}

}  // namespace

Result<void> apply_integrity_tab(std::string_view text, std::string_view name,
                                 IntegrityOptions& options) {
  for (const std::string_view line : split(text, "\n")) {
    const auto fields = split(line, " \t\r");
    if (fields.empty() || fields[0].starts_with('#') || fields[0] != name) continue;
    return apply_fields(fields, options).context(fmt::format("the line of {}", name));
  }
  return Error(ErrorKind::not_found, fmt::format("there is no line of '{}'", name));
}

}  // namespace intact::cli
