#include <algorithm>
#include <utility>

#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

using Tags = Recalculated::Tags;

constexpr std::uint64_t kMaxSamples = 256;

TagSample sample_tags(const IntegrityTarget& target) {
  constexpr std::uint64_t kLength = TagSample::kLength;
  const std::uint64_t places = (target.size() + kLength - 1) / kLength;
  TagSample sample{.places = std::min(kMaxSamples, places)};
  Bytes data(kLength);
  for (std::uint64_t i = 0; i < sample.places; ++i) {
    const std::uint64_t at = places / sample.places * i * kLength;
    const auto done = target.read(
        at, MutableByteSpan(data).first(std::min<std::uint64_t>(kLength, target.size() - at)));
    if (!done && done.error().kind() == ErrorKind::tampered) ++sample.bad;
  }
  return sample;
}

}  // namespace

Result<TagSample> check_recalculate(const Params& params, const Devices& devices) {
  Params as_it_is = params;
  as_it_is.legacy_recalculate = true;  // nothing is served by this look
  const auto target =
      TRY(IntegrityTarget::open(as_it_is, devices, {.read_only = true, .background = false}));
  const auto tags = tags_to_recalculate(params, devices);
  return tags && *tags == Tags::all ? sample_tags(*target) : TagSample();
}

Result<Recalculated::Tags> tags_to_recalculate(const Params& params, const Devices& devices) {
  if (params.reset_recalculate) return Tags::all;
  const auto superblock = TRY(read_superblock(params, devices));
  if (superblock.lacks_tags()) return Tags::missing;
  // A recalculation that has reached the end leaves its mark, and does not begin again by itself:
  // damage since then stays to be seen.
  if (!params.keyed()) return superblock.has(Superblock::recalculating) ? Tags::none : Tags::all;
  // Opening the device settles what its bitmap marks.
  if (superblock.has(Superblock::dirty_bitmap)) return Tags::marked_by_bitmap;
  if (params.legacy_recalculate) return Tags::all;
  return Error(ErrorKind::invalid_argument,
               "no tags are missing; pass --reset to trust the data as they are and give all of "
               "them new tags, after which earlier damage and forgeries cannot be detected");
}

Result<Recalculated> recalculate(Params params, const Devices& devices, const Progress& progress) {
  const auto tags = TRY(tags_to_recalculate(params, devices));
  params.recalculate = tags != Tags::marked_by_bitmap;
  params.reset_recalculate = tags == Tags::all;
  const auto target =
      TRY(IntegrityTarget::open(params, devices, {.check_key = false, .background = false}));
  const std::uint64_t total = target->size();
  TRY(target->recalculate([&](std::uint64_t sector) {
    // The end is told once.
    if (progress && sector * kSectorSize < total) progress(sector * kSectorSize, total);
    return true;
  }));
  if (progress) progress(total, total);
  TRY(target->close());
  return Recalculated{tags, total / kSectorSize};
}

}  // namespace intact::integrity
