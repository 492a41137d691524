#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <intact/integrity/detect.h>
#include <intact/integrity/layout.h>

#include "journal_store.h"
#include "tag_compare.h"
#include "tag_hash.h"

namespace intact::integrity {
namespace {

/// The most likely first: the first one that matches is taken.
constexpr std::array kHashes = {
    "crc32c",      "sha256",      "crc32",       "xxhash64",    "sha1",        "sha512",
    "sha384",      "sha224",      "blake2b-256", "blake2s-256", "sha3-256",    "sha3-512",
    "sha3-384",    "sha3-224",    "blake2b-512", "blake2b-384", "blake2b-160", "blake2s-224",
    "blake2s-160", "blake2s-128", "sm3",         "streebog256", "streebog512", "wp512",
    "rmd160",      "md5",         "md4"};
constexpr std::uint64_t kFirstBlocks = 64;  // sampled, since the beginning is most often written
constexpr std::uint64_t kOtherBlocks = 192;
constexpr std::byte kDiscarded{0xf6};

struct Sample {
  std::uint64_t block;
  Bytes data;
  Bytes tag;
};

bool is_filled(ByteSpan tag, std::byte with) {
  return std::ranges::all_of(tag, [with](std::byte b) { return b == with; });
}

/// The number of blocks whose tags are valid according to the superblock.
std::uint64_t valid_blocks(const Superblock& superblock, const Layout& layout) {
  const std::uint64_t all = layout.provided_blocks();
  if (!superblock.has(Superblock::recalculating)) return all;
  return std::min(all, superblock.recalc_sector >> layout.log2_sectors_per_block());
}

std::vector<std::uint64_t> blocks_to_try(std::uint64_t blocks) {
  const std::uint64_t first = std::min(blocks, kFirstBlocks);
  const std::uint64_t rest = blocks - first;
  const std::uint64_t others = std::min(rest, kOtherBlocks);
  std::vector<std::uint64_t> chosen;
  chosen.reserve(first + others);
  for (std::uint64_t i = 0; i < first; ++i) chosen.push_back(i);
  for (std::uint64_t i = 0; i < others; ++i) chosen.push_back(first + rest / others * i);
  return chosen;
}

Result<Sample> read_sample(const Layout& layout, const Devices& devices, std::uint64_t block) {
  Sample sample{
      .block = block, .data = Bytes(layout.block_size()), .tag = Bytes(layout.tag_size())};
  const std::uint64_t sector = block << layout.log2_sectors_per_block();
  TRY(devices.data->read(layout.data_sector(sector) * kSectorSize, sample.data));
  TRY(devices.of_meta().read(layout.tag_byte(block), sample.tag));
  return sample;
}

class Detector {
 public:
  Detector(const Superblock& superblock, const Layout& layout) : layout_(layout) {
    if (superblock.has(Superblock::fixed_hmac)) salt_ = superblock.salt;
  }

  Result<void> take_samples(const Superblock& superblock, const Devices& devices) {
    for (const std::uint64_t block : blocks_to_try(valid_blocks(superblock, layout_))) {
      Sample sample = TRY(read_sample(layout_, devices, block));
      ++found_.sampled;
      if (is_filled(sample.tag, std::byte{}))
        ++found_.blank;
      else if (is_filled(sample.tag, kDiscarded))
        ++found_.discarded;
      else
        samples_.push_back(std::move(sample));
    }
    return {};
  }

  /// Keeps the algorithm if it matches more samples than all before.
  void try_algorithm(const Algorithm& algorithm) {
    for (const bool salted : {true, false}) {
      if (salted && !salt_) continue;
      const auto hash = TagHash::create(algorithm, {.block_size = layout_.block_size(),
                                                    .tag_size = layout_.tag_size(),
                                                    .salt = salted ? salt_ : std::nullopt});
      if (!hash) return;  // not available here, or it does not take such a key
      const std::uint32_t matching = count_matching(**hash);
      if (!is_convincing(matching) || matching <= found_.matching) continue;
      found_.hash = algorithm.name;
      found_.matching = matching;
      found_.digest_size = static_cast<std::uint32_t>((*hash)->digest_size());
      found_.tag_use = found_.digest_size > layout_.tag_size()   ? Detection::TagUse::cut
                       : found_.digest_size < layout_.tag_size() ? Detection::TagUse::padded
                                                                 : Detection::TagUse::whole;
      found_.keyed = algorithm.key != nullptr;
      found_.salted = salted;
    }
  }

  const Detection& found() const { return found_; }

 private:
  std::uint32_t count_matching(const TagHash& hash) const {
    std::uint32_t matching = 0;
    Bytes tag(layout_.tag_size());
    for (const Sample& sample : samples_) {
      hash.compute(sample.block, sample.data, tag);
      if (equal_tags(tag, sample.tag)) ++matching;
    }
    return matching;
  }

  /// A tag of one or two bytes may match by chance.
  bool is_convincing(std::uint32_t matching) const {
    return matching != 0 && (layout_.tag_size() >= 4 || matching > samples_.size() / 2);
  }

  const Layout& layout_;
  std::optional<std::array<std::byte, 16>> salt_ = {};
  std::vector<Sample> samples_ = {};
  Detection found_ = {};
};

/// The commit ids of an unencrypted journal are the same on all devices.
Result<Detection::Journal> look_at_journal(const Superblock& superblock, const Layout& layout,
                                           const Devices& devices) {
  if (superblock.has(Superblock::dirty_bitmap) || layout.journal_sections() == 0)
    return Detection::Journal::unknown;
  Failure failure;
  MetaIo meta(devices.of_meta(), failure);
  const auto store = TRY(JournalStore::create({}, superblock, layout, meta));
  SectionImage section(layout);
  TRY(store->read(0, section));
  for (std::uint32_t sector = 0; sector < layout.section().sectors; ++sector)
    if (store->sequence_of(section, 0, sector)) return Detection::Journal::plain;
  return Detection::Journal::encrypted;
}

}  // namespace

std::string_view name_of(Detection::TagUse use) {
  switch (use) {
    case Detection::TagUse::whole:
      return "whole";
    case Detection::TagUse::cut:
      return "cut";
    case Detection::TagUse::padded:
      return "padded";
  }
  return "";
}

std::string_view explanation_of(Detection::TagUse use) {
  switch (use) {
    case Detection::TagUse::whole:
      return "stored whole";
    case Detection::TagUse::cut:
      return "truncated to the size of the tag";
    case Detection::TagUse::padded:
      return "padded with zeros";
  }
  return "";
}

std::string_view name_of(Detection::Journal journal) {
  switch (journal) {
    case Detection::Journal::plain:
      return "plain";
    case Detection::Journal::encrypted:
      return "encrypted";
    case Detection::Journal::unknown:
      return "unknown";
  }
  return "";
}

std::string_view explanation_of(Detection::Journal journal) {
  switch (journal) {
    case Detection::Journal::plain:
      return "not encrypted";
    case Detection::Journal::encrypted:
      return "encrypted (--journal-crypt) or destroyed: it has no commit ids";
    case Detection::Journal::unknown:
      return "encryption unknown: no journal, or a bitmap in its place";
  }
  return "";
}

std::string_view why_no_hash(const Detection& found, bool with_key) {
  if (found.tagged() == 0) return "The examined tags are blank, so the hash cannot be detected";
  if (with_key)
    return "No known hash makes these tags, with or without this key: they have another key, or "
           "come from the layer above (LUKS2)";
  return "No known hash makes these tags without a key: they have one (try it with "
         "--integrity-key-file), or come from the layer above (LUKS2)";
}

Result<Detection> detect(const Params& params, const Devices& devices,
                         const std::shared_ptr<const crypto::Secret>& key) {
  return detect(TRY(read_superblock(params, devices)), params, devices, key);
}

Result<Detection> detect(const Superblock& superblock, const Params& params, const Devices& devices,
                         const std::shared_ptr<const crypto::Secret>& key) {
  Params actual = params;
  actual.tag_size = superblock.tag_size;
  actual.block_size = superblock.block_size();
  const Layout layout = TRY(Layout::create(superblock, actual, devices.sizes()));
  Detector detector(superblock, layout);
  TRY(detector.take_samples(superblock, devices));
  for (const char* const name : kHashes) detector.try_algorithm({.name = name});
  if (key) {
    for (const char* const name : kHashes) {
      detector.try_algorithm({.name = std::string("hmac(") + name + ")", .key = key});
      detector.try_algorithm({.name = name, .key = key});
    }
    detector.try_algorithm({.name = "cmac(aes)", .key = key});
  }
  Detection found = detector.found();
  found.journal = TRY(look_at_journal(superblock, layout, devices));
  found.journal_mac = superblock.has(Superblock::have_journal_mac);
  return found;
}

}  // namespace intact::integrity
