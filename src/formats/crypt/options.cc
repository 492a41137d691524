#include <algorithm>
#include <bit>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/crypt/options.h>

namespace intact::crypt {
namespace {

Error invalid(std::string_view why, std::string_view word) {
  return Error(ErrorKind::invalid_argument, fmt::format("{}: '{}'", why, word));
}

struct Flag {
  std::string_view name;
  bool Options::* member;
};
/// Those before and after the options with a value.
constexpr Flag kFlags[] = {{"allow_discards", &Options::allow_discards},
                           {"same_cpu_crypt", &Options::same_cpu_crypt},
                           {"high_priority", &Options::high_priority},
                           {"submit_from_crypt_cpus", &Options::submit_from_crypt_cpus},
                           {"no_read_workqueue", &Options::no_read_workqueue},
                           {"no_write_workqueue", &Options::no_write_workqueue}};
constexpr Flag kLastFlag{"iv_large_sectors", &Options::iv_large_sectors};

/// What follows `name` in a word; nullopt for another word.
std::optional<std::string_view> value_of(std::string_view word, std::string_view name) {
  if (!word.starts_with(name)) return std::nullopt;
  return word.substr(name.size());
}

Result<void> parse_integrity(std::string_view value, std::string_view word, Options& options) {
  const std::size_t colon = std::min(value.find(':'), value.size());
  const auto size = whole_number<std::uint32_t>(value.substr(0, colon));
  if (!size || *size == 0 || *size > kMaxRecordSize || colon == value.size())
    return invalid("Invalid integrity arguments", word);
  const std::string_view profile = value.substr(colon + 1);
  if (profile != "aead" && profile != "none") return invalid("Unknown integrity profile", word);
  options.record_size = *size;
  options.is_aead = profile == "aead";
  return {};
}

Result<void> parse_word(const std::string& word, Options& options) {
  std::string lower = word;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto flag = std::ranges::find(kFlags, lower, &Flag::name);
  if (flag != std::end(kFlags)) {
    options.*flag->member = true;
  } else if (lower == kLastFlag.name) {
    options.*kLastFlag.member = true;
  } else if (const auto integrity = value_of(lower, "integrity:")) {
    return parse_integrity(*integrity, word, options);
  } else if (const auto key = value_of(lower, "integrity_key_size:")) {
    const auto size = whole_number<std::uint32_t>(*key);
    if (!size || *size == 0) return invalid("Invalid integrity_key_size argument", word);
    options.mac_key_size = *size;
  } else if (const auto sector = value_of(lower, "sector_size:")) {
    const auto size = whole_number<std::uint32_t>(*sector);
    if (!size || *size < 512 || *size > 4096 || !std::has_single_bit(*size))
      return invalid("Invalid feature value for sector_size", word);
    options.sector_size = *size;
  } else {
    return invalid("Invalid feature arguments", word);
  }
  return {};
}

}  // namespace

Result<Options> Options::parse(std::span<const std::string> words) {
  Options options;
  for (const std::string& word : words) TRY(parse_word(word, options));
  return options;
}

std::vector<std::string> Options::words() const {
  std::vector<std::string> words;
  for (const Flag& flag : kFlags)
    if (this->*flag.member) words.emplace_back(flag.name);
  if (record_size != 0)
    words.push_back(fmt::format("integrity:{}:{}", record_size, is_aead ? "aead" : "none"));
  if (mac_key_size != 0) words.push_back(fmt::format("integrity_key_size:{}", mac_key_size));
  if (sector_size != 512) words.push_back(fmt::format("sector_size:{}", sector_size));
  if (iv_large_sectors) words.emplace_back(kLastFlag.name);
  return words;
}

SectorParams Options::sector_params(CipherSpec spec, std::uint64_t iv_offset) const {
  return {.spec = std::move(spec),
          .sector_size = sector_size,
          .iv_large_sectors = iv_large_sectors,
          .iv_offset = iv_offset,
          .record_size = record_size,
          .is_aead = is_aead,
          .mac_key_size = mac_key_size};
}

}  // namespace intact::crypt
