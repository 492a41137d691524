#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/dm/line.h>
#include <intact/integrity/dm_target.h>

#include "integrity_target_impl.h"

namespace intact::integrity {
namespace {

constexpr std::size_t kMaxOptions = 18;  // the kernel's limit

Error invalid(std::string what) {
  return Error(ErrorKind::invalid_argument, std::move(what));
}

/// Part of a word that is not an option, unless it may be a key.
std::string unquoted(std::string_view word) {
  const std::string text = dm::quoted(word);
  return text.substr(1, text.size() - 2);
}

/// "ALGORITHM[:HEXKEY]", or with `keys` "ALGORITHM[:REFERENCE]".
Result<Algorithm> algorithm(std::string_view text, std::string_view option, const KeyLookup& keys) {
  const std::size_t colon = text.find(':');
  Algorithm algorithm{std::string(text.substr(0, colon)), {}};
  if (dm::quoted(algorithm.name) != "'" + algorithm.name + "'")  // a key in its place
    return invalid(fmt::format("Invalid {} argument", option));
  if (colon == std::string_view::npos) return algorithm;
  if (keys) {
    algorithm.key = TRY(keys(text.substr(colon + 1)).context(std::string(option)));
    return algorithm;
  }
  auto key = from_hex(text.substr(colon + 1));
  if (!key || algorithm.name.empty()) return invalid(fmt::format("Invalid {} argument", option));
  algorithm.key = std::make_shared<const crypto::Secret>(crypto::Secret::copy_of(*key));
  crypto::wipe(*key);
  return algorithm;
}

/// Options without a value.
bool* flag(Params& params, std::string_view word) {
  if (word == "recalculate") return &params.recalculate;
  if (word == "reset_recalculate") return &params.reset_recalculate;
  if (word == "legacy_recalculate") return &params.legacy_recalculate;
  if (word == "allow_discards") return &params.allow_discards;
  if (word == "fix_padding") return &params.fix_padding;
  if (word == "fix_hmac") return &params.fix_hmac;
  if (word == "legacy_hmac") return &params.legacy_hmac;
  return nullptr;
}

std::optional<Algorithm>* algorithm_option(Params& params, std::string_view name) {
  if (name == "internal_hash") return &params.internal_hash;
  if (name == "journal_crypt") return &params.journal_crypt;
  if (name == "journal_mac") return &params.journal_mac;
  return nullptr;
}

/// Options with a number. False: not such an option, or not a number.
bool set_number(Params& params, std::string_view name, std::string_view text) {
  if (name == "sectors_per_bit") {
    const auto value = whole_number<std::uint64_t>(text);
    if (value) params.sectors_per_bit = *value;
    return value.has_value();
  }
  const auto value = whole_number<std::uint32_t>(text);
  if (!value) return false;
  if (name == "journal_sectors")
    params.journal_sectors = *value;
  else if (name == "interleave_sectors")
    params.interleave_sectors = *value;
  else if (name == "buffer_sectors")
    params.buffer_sectors = *value;
  else if (name == "journal_watermark" && *value <= 100)
    params.journal_watermark = *value;
  else if (name == "commit_time")
    params.commit_time = *value;
  else
    return false;
  return true;
}

Result<void> set_option(TableLine& line, std::string_view word, const KeyLookup& keys) {
  bool* const set = flag(line.params, word);
  if (set != nullptr && (keys || set != &line.params.legacy_hmac)) {
    *set = true;
    return {};
  }
  const std::size_t colon = word.find(':');
  const Error unknown =
      invalid(fmt::format("Invalid argument: {}", unquoted(word.substr(0, colon))));
  if (colon == std::string_view::npos) return Error(unknown);
  const std::string_view name = word.substr(0, colon), value = word.substr(colon + 1);
  if (auto* const chosen = algorithm_option(line.params, name)) {
    *chosen = TRY(algorithm(value, name, keys));
    return {};
  }
  if (name == "meta_device") {
    line.meta_device = value;
    return {};
  }
  if (name == "block_size") {
    const auto size = whole_number<std::uint32_t>(value);
    if (!size || *size < 512 || *size > 4096 || (*size & (*size - 1)) != 0)
      return invalid("Invalid block_size argument");
    line.params.block_size = *size;
    return {};
  }
  if (name == "bitmap_flush_interval") {
    const auto interval = whole_number<std::uint32_t>(value);
    if (!interval || *interval > kMaxBitmapFlushInterval)
      return invalid("Invalid bitmap_flush_interval argument");
    line.params.bitmap_flush_interval = *interval;
    return {};
  }
  if (!set_number(line.params, name, value)) return Error(unknown);
  return {};
}

/// Writes `key` as hexadecimal digits.
void write_hex(ByteSpan key, MutableByteSpan out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(key[i]);
    out[2 * i] = static_cast<std::byte>(kDigits[byte >> 4]);
    out[2 * i + 1] = static_cast<std::byte>(kDigits[byte & 15]);
  }
}

/// A table line with zeros for the keys, and where these are.
struct Line {
  struct Key {
    std::size_t at;
    ByteSpan bytes;
  };
  std::string text;
  std::vector<Key> keys;

  /// " NAME:ALGORITHM[:HEXKEY]".
  void add(std::string_view name, const Algorithm& algorithm) {
    text += fmt::format(" {}:{}", name, algorithm.name);
    const ByteSpan key = algorithm.key_bytes();
    if (key.empty()) return;
    text += ':';
    keys.push_back({text.size(), key});
    text.append(key.size() * 2, '0');
  }
};

/// The words of a line. They are views, because copies of a key would stay in memory.
std::vector<std::string_view> split(std::string_view line) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  std::vector<std::string_view> words;
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
    if (line.empty()) return words;
    words.push_back(line.substr(0, line.find_first_of(kSpace)));
    line.remove_prefix(words.back().size());
  }
}

Line line_of(const IntegrityTarget& target, const Params& params, const std::string& meta_device) {
  const Superblock now = target.superblock();
  const Layout& layout = target.layout();
  std::vector<std::string> options;
  const auto word = [&](bool wanted, const char* name) {
    if (wanted) options.emplace_back(name);
  };
  const auto add = [&](bool wanted, const char* name, const auto& value) {
    if (wanted) options.push_back(fmt::format("{}:{}", name, value));
  };
  const auto per_cent = [&] {
    const std::uint64_t entries =
        std::uint64_t{layout.section().entries} * layout.journal_sections();
    const std::uint64_t threshold = (entries * (100 - params.journal_watermark) + 50) / 100;
    return ((entries - threshold) * 100 + entries / 2) / entries;
  };
  const bool journal = params.mode == Mode::journal, bitmap = params.mode == Mode::bitmap;
  add(!meta_device.empty(), "meta_device", meta_device);
  add(params.block_size != 512, "block_size", params.block_size);
  word(now.has(Superblock::recalculating), "recalculate");
  word(params.reset_recalculate, "reset_recalculate");
  word(params.allow_discards, "allow_discards");
  add(true, "journal_sectors", layout.initial_sectors() - kSuperblockSectors);
  add(true, "interleave_sectors", std::uint64_t{1} << layout.log2_interleave_sectors());
  add(true, "buffer_sectors", 1u << layout.log2_buffer_sectors());
  add(journal, "journal_watermark", journal ? per_cent() : 0);
  add(journal, "commit_time", params.commit_time);
  add(bitmap, "sectors_per_bit",
      std::uint64_t{1} << (now.log2_blocks_per_bitmap_bit + layout.log2_sectors_per_block()));
  add(bitmap, "bitmap_flush_interval", params.bitmap_flush_interval);
  word(now.has(Superblock::fixed_padding), "fix_padding");
  word(now.has(Superblock::fixed_hmac), "fix_hmac");
  word(params.legacy_recalculate, "legacy_recalculate");
  const std::pair<const char*, const std::optional<Algorithm>*> algorithms[] = {
      {"internal_hash", &params.internal_hash},
      {"journal_crypt", &params.journal_crypt},
      {"journal_mac", &params.journal_mac}};
  const auto chosen = std::ranges::count_if(
      algorithms, [](const auto& algorithm) { return algorithm.second->has_value(); });
  Line line{.text = fmt::format(
                "{} {} {} {} {}", params.start, layout.tag_size(), static_cast<char>(params.mode),
                options.size() + static_cast<std::size_t>(chosen), fmt::join(options, " ")),
            .keys = {}};
  for (const auto& [name, algorithm] : algorithms)
    if (*algorithm) line.add(name, **algorithm);
  return line;
}

template <typename Words>
Result<TableLine> parse_words(const Words& words, const KeyLookup& keys) {
  if (words.size() <= 4) return invalid("Invalid argument count");
  TableLine line{.device = std::string(words[0]), .params = {}};
  const auto start = whole_number<std::uint64_t>(words[1]);
  if (!start) return invalid("Invalid starting offset");
  line.params.start = *start;
  if (words[2] != std::string_view("-")) {
    line.params.tag_size = whole_number<std::uint32_t>(words[2]);
    if (!line.params.tag_size || *line.params.tag_size == 0) return invalid("Invalid tag size");
  }
  if (words[3].size() != 1 || std::string_view("JBDRI").find(words[3][0]) == std::string_view::npos)
    return invalid("Invalid mode (expecting J, B, D, R, I)");
  line.params.mode = static_cast<Mode>(words[3][0]);
  const auto count = whole_number<std::size_t>(words[4]);
  if (!count || *count > kMaxOptions + (keys ? 1 : 0))
    return invalid("Invalid number of feature args");
  if (*count > words.size() - 5) return invalid("Not enough feature arguments");
  for (std::size_t i = 0; i < *count; ++i) TRY(set_option(line, words[5 + i], keys));
  return line;
}

}  // namespace

Result<TableLine> parse_table(std::string_view text) {
  return parse_words(split(text), {});
}

Result<TableLine> parse_table(std::span<const std::string> words, const KeyLookup& keys) {
  return parse_words(words, keys);
}

std::string IntegrityTarget::table(const std::string& meta_device) const {
  return line_of(*this, impl_->volume().params, meta_device).text;
}

crypto::Secret IntegrityTarget::table_with_keys(const std::string& meta_device) const {
  const Line line = line_of(*this, impl_->volume().params, meta_device);
  auto secret = crypto::Secret::copy_of(as_bytes(line.text));
  for (const auto& [at, key] : line.keys) write_hex(key, secret.expose().subspan(at));
  return secret;
}

}  // namespace intact::integrity
