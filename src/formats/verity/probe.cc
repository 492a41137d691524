#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/linear_target.h>
#include <intact/verity/dm_target.h>
#include <intact/verity/params.h>
#include <intact/verity/probe.h>
#include <intact/verity/volume.h>

namespace intact::verity {
namespace {

/// Blocks of a file of the usual kind: data, superblock, tree.
std::optional<std::uint64_t> blocks_with(const Params& params) {
  const auto geometry = Geometry::create(params);
  if (!geometry) return std::nullopt;
  return geometry->data_blocks() + 1 + geometry->hash_blocks();
}

/// Where the superblock is if a volume fills the file: it has as many data blocks as leave room for
/// their tree. Assumes the defaults of veritysetup except for the hash.
std::optional<std::uint64_t> offset_by_size(std::uint64_t file_size, const char* hash) {
  Params params{.hash = hash};
  const std::uint64_t blocks = file_size / params.data_block_size;
  std::uint64_t low = 0;
  std::uint64_t high = blocks;  // too many
  while (low + 1 < high) {
    params.data_blocks = low + (high - low) / 2;
    const auto needed = blocks_with(params);
    (needed && *needed <= blocks ? low : high) = params.data_blocks;
  }
  return low == 0 ? std::nullopt : std::optional(low * params.data_block_size);
}

/// The usual places, each of them once.
Result<std::vector<std::uint64_t>> usual_places(dm::Candidate& candidate) {
  std::vector<std::uint64_t> places = {0};
  const auto add = [&places](std::optional<std::uint64_t> place) {
    if (place && std::ranges::find(places, *place) == places.end()) places.push_back(*place);
  };
  if (const auto end = TRY(candidate.file_system_size())) {
    add(checked_align_up<std::uint64_t>(*end, 512));
    add(checked_align_up<std::uint64_t>(*end, 4096));
  }
  for (const char* hash : {"sha256", "sha512", "sha1"})
    add(offset_by_size(candidate.device()->size(), hash));
  return places;
}

/// Null unless there is a superblock that we can use.
Result<std::shared_ptr<const dm::Header>> find_at(dm::Candidate& candidate, std::uint64_t place) {
  RawSuperblock raw;
  if (!TRY(candidate.read(place, MutableByteSpan(reinterpret_cast<std::byte*>(&raw), sizeof raw))))
    return std::shared_ptr<const dm::Header>();
  auto parsed = parse_superblock(raw);
  if (!parsed) return std::shared_ptr<const dm::Header>();
  const auto found = std::make_shared<FoundHeader>(*std::move(parsed));
  found->offset = place;
  const Params& params = found->superblock.params;
  found->content_size = checked_multiply<std::uint64_t>(params.data_blocks, params.data_block_size);
  return std::shared_ptr<const dm::Header>(found);
}

Result<std::shared_ptr<const dm::Header>> find(dm::Candidate& candidate,
                                               std::optional<std::uint64_t> given) {
  if (given) return find_at(candidate, *given);
  for (const std::uint64_t place : TRY(usual_places(candidate)))
    if (auto found = TRY(find_at(candidate, place))) return found;
  return std::shared_ptr<const dm::Header>();
}

Result<std::shared_ptr<const dm::Header>> probe(dm::Candidate& candidate,
                                                const dm::Credentials* given) {
  const auto* const said = static_cast<const Credentials*>(given);
  if (said == nullptr) return find(candidate, std::nullopt);
  if (!said->hash) return find(candidate, said->superblock_at);
  dm::Candidate hash = candidate.other(said->hash);
  return find(hash, said->superblock_at);
}

/// The root hash must be given: an image cannot vouch for itself.
Result<dm::Step> plan(const dm::Planning& planning) {
  const auto& header = static_cast<const FoundHeader&>(planning.header);
  const auto* const said = static_cast<const Credentials*>(planning.said);
  if (said == nullptr || said->root.empty())
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("{}: a dm-verity volume (superblock at byte {}), and no root hash is given; "
                    "pass --root-hash or --root-hash-file, or --format raw to open it unverified",
                    planning.place, header.offset));
  const Superblock& superblock = header.superblock;
  if (said->data_blocks && *said->data_blocks != superblock.params.data_blocks)
    return Error(ErrorKind::tampered,
                 fmt::format("{}: the superblock says {}, not {} as --data-blocks does",
                             said->hash ? said->hash_name : planning.name,
                             superblock.params.data_blocks, *said->data_blocks));
  LineSpec spec{.layout = {.params = superblock.params, .hash_offset = header.offset},
                .root = said->root,
                .data = planning.word,
                .hash = planning.word};
  Devices devices{.data = planning.below, .hash = planning.below};
  if (said->hash) {
    spec.hash = TRY(planning.names.add(said->hash));
    devices.hash = said->hash;
  }
  if (const auto& fec = said->fec) {
    spec.layout.fec = Layout::Fec{.roots = fec->roots, .offset = fec->offset};
    spec.fec = fec->device ? TRY(planning.names.add(fec->device)) : planning.word;
    devices.fec = fec->device ? fec->device : planning.below;
  }
  TRY(check_layout(spec.layout, devices, ErrorKind::malformed));
  dm::Step step;
  step.tables.push_back(TRY(make_table(spec, devices, superblock.uuid)));
  return step;
}

/// The data, if they are on the device with the superblock.
dm::Sight look_into(const dm::Header& header, const std::shared_ptr<block::Device>& device) {
  if (!header.content_size || *header.content_size > device->size() ||
      *header.content_size > header.offset)
    return {};
  auto data = block::LinearTarget::open(device, {.offset = 0, .length = *header.content_size});
  return {.content = data ? *std::move(data) : nullptr};
}

}  // namespace

constinit const dm::Prober kProber = {
    .name = "verity",
    .title = "dm-verity",
    .nested_refusal =
        "within dm-verity is not supported, since one root hash fits one volume; "
        "open the inner volume by itself",
    .needs_credentials = true,
    .probe = probe,
    .plan = plan,
    .look_into = look_into};

std::vector<dm::Fact> FoundHeader::facts() const {
  const Params& params = superblock.params;
  return {{"uuid", superblock.uuid.to_string()},
          {"hash_type", std::uint64_t{static_cast<std::uint32_t>(params.hash_type)}},
          {"hash", params.hash},
          {"data_blocks", params.data_blocks},
          {"data_block_size", std::uint64_t{params.data_block_size}},
          {"hash_block_size", std::uint64_t{params.hash_block_size}},
          {"salt", to_hex(params.salt)}};
}

Result<void> Credentials::missing(const std::string& name) const {
  return Error(ErrorKind::malformed,
               fmt::format("{}: no dm-verity superblock found; pass --hash-offset if it is "
                           "elsewhere",
                           hash ? hash_name : name));
}

}  // namespace intact::verity
