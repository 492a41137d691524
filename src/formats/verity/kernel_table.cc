#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <intact/verity/dm_target.h>

namespace intact::verity {
namespace {

constexpr std::size_t kMaxOptions = 64;  // words

/// Options without a value, of kernels up to 6.14.
bool is_flag(std::string_view name) {
  constexpr std::string_view kFlags[] = {
      "ignore_corruption", "restart_on_corruption", "panic_on_corruption", "restart_on_error",
      "panic_on_error",    "ignore_zero_blocks",    "check_at_most_once",  "try_verify_in_tasklet"};
  return std::ranges::find(kFlags, name) != std::end(kFlags);
}

Result<void> parse_option(dm::Arguments& words, KernelTable& table) {
  std::string name = TRY(words.word("option"));
  const auto fec = [&table]() -> FecArguments& {
    return table.fec ? *table.fec : table.fec.emplace();
  };
  if (name == "use_fec_from_device") {
    table.devices.fec = TRY(words.word("FEC device"));
    fec();
  } else if (name == "fec_start") {
    fec().start = TRY(words.number("fec_start"));
  } else if (name == "fec_start_sector") {
    fec().start_sector = TRY(words.number("fec_start_sector", UINT64_MAX / dm::kSectorSize));
  } else if (name == "fec_blocks") {
    fec().blocks = TRY(words.number("fec_blocks"));
  } else if (name == "fec_roots") {
    fec().roots = TRY(words.number32("fec_roots"));
  } else if (name == "root_hash_sig_key_desc") {
    table.signature_key = TRY(words.word("description of the signature's key"));
  } else if (!is_flag(name)) {
    return words.wrong("option", "an option");
  } else {
    table.flags.push_back(std::move(name));
  }
  return {};
}

}  // namespace

Result<KernelTable> KernelTable::parse(const dm::Line& line) {
  dm::Arguments words(line);
  KernelTable table;
  const std::uint32_t version = TRY(words.number32("version"));
  if (version > 1) return words.wrong("version", "0 or 1");
  table.params.hash_type = static_cast<HashType>(version);
  table.devices.data = TRY(words.word("data device"));
  table.devices.hash = TRY(words.word("hash device"));
  table.params.data_block_size = TRY(words.number32("data block size"));
  table.params.hash_block_size = TRY(words.number32("hash block size"));
  table.params.data_blocks = TRY(words.number("number of data blocks"));
  table.hash_start = TRY(words.number("first hash block"));
  table.params.hash = TRY(words.word("hash algorithm"));
  table.root = TRY(words.bytes("root digest"));
  table.params.salt = TRY(words.bytes("salt"));
  TRY(words.count_of_options(kMaxOptions));
  while (!words.at_end()) TRY(parse_option(words, table));
  return table;
}

dm::Line KernelTable::line() const {
  dm::Line line{
      .sectors = params.data_blocks * (params.data_block_size / dm::kSectorSize),
      .target = "verity",
      .arguments = {fmt::to_string(static_cast<unsigned>(params.hash_type)), devices.data,
                    devices.hash, fmt::to_string(params.data_block_size),
                    fmt::to_string(params.hash_block_size), fmt::to_string(params.data_blocks),
                    fmt::to_string(hash_start), params.hash, to_hex(root),
                    params.salt.empty() ? "-" : to_hex(params.salt)}};
  std::vector<std::string> options = flags;
  const auto add = [&options](const char* name, std::string value) {
    options.emplace_back(name);
    options.push_back(std::move(value));
  };
  if (fec) {
    add("use_fec_from_device", devices.fec);
    add("fec_start", fmt::to_string(fec->start));
    add("fec_blocks", fmt::to_string(fec->blocks));
    add("fec_roots", fmt::to_string(fec->roots));
    if (fec->start_sector) add("fec_start_sector", fmt::to_string(*fec->start_sector));
  }
  if (!signature_key.empty()) add("root_hash_sig_key_desc", signature_key);
  if (!options.empty()) line.arguments.push_back(fmt::to_string(options.size()));
  line.arguments.insert(line.arguments.end(), options.begin(), options.end());
  return line;
}

}  // namespace intact::verity
