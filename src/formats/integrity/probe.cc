#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/integrity/detect.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/manage.h>
#include <intact/integrity/probe.h>

namespace intact::integrity {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic = "integrt\0"sv;
constexpr std::size_t kShownSize = 24;   // bytes of a superblock that facts() shows
constexpr std::uint32_t kMinProof = 16;  // bytes of tags that must match before writing

Result<std::shared_ptr<const dm::Header>> probe(dm::Candidate& candidate, const dm::Credentials*) {
  const ByteSpan begin = TRY(candidate.begin());
  if (begin.size() < kShownSize || !equal(begin.first(kMagic.size()), as_bytes(kMagic)))
    return std::shared_ptr<const dm::Header>();
  const ByteSpan bytes = begin.first(std::min(begin.size(), kSuperblockSize));
  return std::shared_ptr<const dm::Header>(
      std::make_shared<FoundHeader>(Bytes(bytes.begin(), bytes.end())));
}

Error error(ErrorKind kind, const std::string& device, const std::string& message) {
  return {kind, fmt::format("{}: {}", device, message)};
}

/// None if all sampled tags match, and enough of them.
std::optional<Error> doubt_of(const Detection& found, std::uint32_t tag_size,
                              const std::string& device) {
  if (found.matching == found.tagged() &&
      std::uint64_t{found.matching} * std::min(tag_size, found.digest_size) >= kMinProof)
    return std::nullopt;
  return error(ErrorKind::invalid_argument, device,
               fmt::format("only {} of {} sampled tags match {}, too few to allow writing; pass "
                           "--integrity or --readonly",
                           found.matching, found.tagged(), *found.hash));
}

std::string why_unknown(const Detection& found, bool with_key) {
  if (found.tagged() == 0)
    return "cannot detect the hash of this dm-integrity device: the sampled tags are blank; pass "
           "--integrity";
  if (with_key)
    return "cannot detect the hash of this dm-integrity device: no known hash makes its tags, with "
           "or without this key";
  return "cannot detect the hash of this dm-integrity device: no known hash makes its tags without "
         "a key; pass --integrity-key-file, and --integrity unless it is an HMAC (tags from a "
         "layer above, as with LUKS2, cannot be checked here)";
}

/// The hash that makes the tags, and the evidence for it.
Result<Detection> find_hash(const Superblock& superblock, const Params& params,
                            const Devices& devices, const std::string& name) {
  const auto& key = params.internal_hash->key;
  const Detection found = TRY(detect(superblock, params, devices, key).context(name));
  if (!found.hash)
    return error(key && found.tagged() != 0 ? ErrorKind::bad_secret : ErrorKind::invalid_argument,
                 name, why_unknown(found, key != nullptr));
  if (key && !found.keyed)
    return error(ErrorKind::bad_secret, name,
                 fmt::format("its tags are plain {}, which anyone can compute, and not made with "
                             "the given key",
                             *found.hash));
  if (found.journal == Detection::Journal::encrypted && !params.journal_crypt)
    return error(ErrorKind::invalid_argument, name,
                 "its journal is encrypted or destroyed; pass --journal-crypt and its key");
  return found;
}

/// The superblock, if a device with it can be opened with what was said.
Result<Superblock> usable_superblock(const FoundHeader& header, const Credentials& said,
                                     const block::Device& device, const std::string& name) {
  const auto parsed = parse_superblock(header.raw);
  if (parsed && parsed->log2_interleave_sectors == 0 && !parsed->has(Superblock::in_line))
    return error(
        ErrorKind::invalid_argument, name,
        "its data are on a separate device; use `intact integrity open` with --data-device");
  TRY(block::check_range(device.size(), 0, kSuperblockSize)
          .context("The device is too small")
          .context(name));
  const Superblock superblock =
      TRY(parse_superblock(header.raw, /*has_meta_device=*/false).context(name));
  if (superblock.has(Superblock::have_journal_mac) && !said.journal_mac)
    return error(ErrorKind::invalid_argument, name,
                 "its journal has a MAC; pass --journal-integrity and its key");
  return superblock;
}

Result<dm::Step> plan(const dm::Planning& planning) {
  const auto& header = static_cast<const FoundHeader&>(planning.header);
  const Credentials nothing;
  const auto& said =
      planning.said == nullptr ? nothing : static_cast<const Credentials&>(*planning.said);
  const Devices devices{.data = planning.below};
  const Superblock superblock =
      TRY(usable_superblock(header, said, *planning.below, planning.name));
  Params params{.tag_size = said.tag_size,
                .block_size = said.block_size.value_or(superblock.block_size()),
                .internal_hash = said.internal_hash,
                .journal_crypt = said.journal_crypt,
                .journal_mac = said.journal_mac,
                .legacy_recalculate = said.legacy_recalculate,
                .legacy_hmac = said.legacy_hmac};
  if (said.detects_hash && !params.internal_hash) params.internal_hash.emplace();
  if (!params.tag_size && !params.keyed()) params.tag_size = superblock.tag_size;
  // In whatever mode it was used, a device that was closed opens with a journal.
  if (superblock.has(Superblock::dirty_bitmap)) params.mode = Mode::bitmap;
  dm::Step step;
  for (const std::string& clause : unchecked_trust(superblock, params))
    step.warnings.push_back(planning.name + ": " + clause);
  if (said.detects_hash) {
    const Detection found = TRY(find_hash(superblock, params, devices, planning.name));
    params.internal_hash->name = *found.hash;
    step.doubt = doubt_of(found, superblock.tag_size, planning.name);
  }
  const Layout layout = TRY(Layout::create(superblock, params, devices.sizes()));
  step.tables.push_back(TRY(make_table(
      {.params = params, .data = planning.word, .sectors = layout.provided_data_sectors()},
      planning.names)));
  return step;
}

/// The content without checks, and without what is only in the journal; and the hash, if it needs
/// no key.
dm::Sight look_into(const dm::Header& found_header, const std::shared_ptr<block::Device>& device) {
  const auto& header = static_cast<const FoundHeader&>(found_header);
  const auto superblock = parse_superblock(header.raw, /*has_meta_device=*/false);
  if (!superblock || header.on_disk.size() < kSuperblockSize) return {};
  const Devices devices{.data = device};
  dm::Sight sight;
  const auto found = detect(*superblock, {}, devices, nullptr);
  if (found && found->hash) sight.facts.push_back({"integrity", *found->hash});
  auto target = IntegrityTarget::open(
      {.tag_size = superblock->tag_size,
       .mode = Mode::recovery,
       .block_size = superblock->block_size()},
      devices, {.superblock = header.on_disk, .read_only = true, .background = false});
  if (target) sight.content = *std::move(target);
  return sight;
}

}  // namespace

constinit const dm::Prober kProber = {.name = "integrity",
                                      .title = "dm-integrity",
                                      .probe = probe,
                                      .plan = plan,
                                      .look_into = look_into};

FoundHeader::FoundHeader(Bytes bytes) : on_disk(std::move(bytes)) {
  const MutableByteSpan to(reinterpret_cast<std::byte*>(&raw), sizeof raw);
  std::ranges::fill(to, std::byte{});
  std::ranges::copy(ByteSpan(on_disk).first(std::min(on_disk.size(), sizeof raw)), to.begin());
  content_size = checked_multiply<std::uint64_t>(raw.provided_data_sectors.get(), kSectorSize);
}

std::vector<dm::Fact> FoundHeader::facts() const {
  return {{"version", std::to_integer<std::uint64_t>(raw.version[0])},
          {"tag_size", std::uint64_t{raw.integrity_tag_size.get()}},
          {"journal_sections", std::uint64_t{raw.journal_sections.get()}},
          {"provided_data_sectors", raw.provided_data_sectors.get()}};
}

Result<void> Credentials::missing(const std::string& name) const {
  return Error(ErrorKind::malformed, name + ": not a dm-integrity device");
}

}  // namespace intact::integrity
