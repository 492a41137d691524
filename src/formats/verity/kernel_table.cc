#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include <intact/verity/kernel_table.h>

namespace intact::verity {
namespace {

/// The words of a table line, taken one by one.
class Words {
 public:
  explicit Words(std::string_view text) : left_(text) {}

  bool at_end() {
    left_.remove_prefix(std::min(left_.find_first_not_of(' '), left_.size()));
    return left_.empty();
  }
  Result<std::string> word() {
    if (at_end()) return Error(ErrorKind::malformed, "dm-verity table: ends too early");
    const std::size_t length = std::min(left_.find(' '), left_.size());
    std::string word(left_.substr(0, length));
    left_.remove_prefix(length);
    return word;
  }
  template <typename Number>
  Result<Number> number() {
    const std::string text = TRY(word());
    Number number{};
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      return Error(ErrorKind::malformed,
                   fmt::format("dm-verity table: '{}' is not a number", text));
    return number;
  }
  Result<Bytes> bytes() {
    const std::string text = TRY(word());
    return text == "-" ? Result<Bytes>(Bytes()) : from_hex(text).context("dm-verity table");
  }

 private:
  std::string_view left_;
};

Result<void> parse_option(Words& words, KernelTable& table) {
  std::string name = TRY(words.word());
  const auto fec = [&table]() -> KernelTable::Fec& {
    return table.fec ? *table.fec : table.fec.emplace(KernelTable::Fec{});
  };
  if (name == "use_fec_from_device") {
    table.devices.fec = TRY(words.word());
    fec();
  } else if (name == "fec_start") {
    fec().start = TRY(words.number<std::uint64_t>());
  } else if (name == "fec_blocks") {
    fec().blocks = TRY(words.number<std::uint64_t>());
  } else if (name == "fec_roots") {
    fec().roots = TRY(words.number<unsigned>());
  } else if (name == "root_hash_sig_key_desc") {
    table.signature_key = TRY(words.word());
  } else {
    table.flags.push_back(std::move(name));
  }
  return {};
}

}  // namespace

Result<KernelTable> KernelTable::create(const Layout& layout, const Devices& devices,
                                        const DeviceNames& names, ByteSpan root) {
  const std::uint64_t block = layout.params.hash_block_size;
  KernelTable table{.params = layout.params,
                    .devices = names,
                    .hash_start = TRY(hash_area_offset(layout)) / block,
                    .root = Bytes(root.begin(), root.end())};
  if (layout.fec) {
    if (layout.fec->offset % block != 0)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("FEC offset {}: the kernel requires a multiple of {}",
                               layout.fec->offset, block));
    const FecGeometry geometry = TRY(fec_geometry(layout, *TRY(fec_coverage(layout, devices))));
    table.fec = Fec{.start = layout.fec->offset / block,
                    .blocks = geometry.blocks(),
                    .roots = geometry.roots()};
  }
  return table;
}

Result<KernelTable> KernelTable::parse(std::string_view text) {
  Words words(text);
  KernelTable table;
  table.params.hash_type = static_cast<HashType>(TRY(words.number<std::uint32_t>()));
  table.devices.data = TRY(words.word());
  table.devices.hash = TRY(words.word());
  table.params.data_block_size = TRY(words.number<std::uint32_t>());
  table.params.hash_block_size = TRY(words.number<std::uint32_t>());
  table.params.data_blocks = TRY(words.number<std::uint64_t>());
  table.hash_start = TRY(words.number<std::uint64_t>());
  table.params.hash = TRY(words.word());
  table.root = TRY(words.bytes());
  table.params.salt = TRY(words.bytes());
  if (words.at_end()) return table;
  TRY(words.number<unsigned>());  // how many words follow
  while (!words.at_end()) TRY(parse_option(words, table));
  return table;
}

std::string KernelTable::text() const {
  std::string options;
  for (const std::string& flag : flags) options += " " + flag;
  std::size_t words = flags.size();
  if (fec) {
    options += fmt::format(" use_fec_from_device {} fec_start {} fec_blocks {} fec_roots {}",
                           devices.fec, fec->start, fec->blocks, fec->roots);
    words += 8;
  }
  if (!signature_key.empty()) {
    options += " root_hash_sig_key_desc " + signature_key;
    words += 2;
  }
  if (words > 0) options = fmt::format(" {}{}", words, options);
  return fmt::format("{} {} {} {} {} {} {} {} {} {}{}", static_cast<unsigned>(params.hash_type),
                     devices.data, devices.hash, params.data_block_size, params.hash_block_size,
                     params.data_blocks, hash_start, params.hash, to_hex(root),
                     params.salt.empty() ? "-" : to_hex(params.salt), options);
}

}  // namespace intact::verity
