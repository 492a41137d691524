#include "text.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/base/visible.h>

namespace intact::report {

std::string format_time(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  // A record may hold any number; years of more than four digits are not times.
  if (seconds < 0 || seconds > 253402300799 || !::gmtime_r(&time, &parts)) return "?";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t kMaxNames = 5;
  std::string text;
  const std::size_t shown = names.size() > kMaxNames + 1 ? kMaxNames : names.size();
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "'" : ", '") + visible(names[i]) + "'";
  if (shown < names.size()) text += " and " + counted(names.size() - shown, "other image");
  return text;
}

std::string basis_text(const std::optional<sign::Verdict>& signer, sign::Basis basis) {
  if (signer) return "signed by " + visible(signer->key_name());
  if (basis == sign::Basis::pin) return "pinned by its digest when it was pulled";
  if (basis == sign::Basis::first_use) return "trusted on first use";
  return "NOT SIGNED by a trusted key";
}

std::string vouching_text(const std::optional<sign::Verdict>& signer, sign::Basis basis,
                          image::SealKind seal) {
  const std::string text = basis_text(signer, basis);
  switch (seal) {
    case image::SealKind::publisher:
      // What an unknown publisher has sealed says nothing.
      return signer ? text + ", sealed by its publisher" : text;
    case image::SealKind::local:
      return text + ", sealed by this machine";
    case image::SealKind::none:
      break;
  }
  return text + ", not sealed";
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) {
    list += list.empty() ? "\"" : ",\"";
    for (const char c : visible(word)) (list += c == '"' ? "\\" : "") += c;
    list += '"';
  }
  return "[" + list + "]";
}

}  // namespace intact::report
