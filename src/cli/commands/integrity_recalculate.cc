#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>

#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::IntegrityTarget;

struct Options : IntegrityCommand {
  bool reset = false;
};

enum class Work { nothing, missing_tags, all_tags, what_the_bitmap_marks };

/// What there is to do. With a key new tags for data that nothing has verified are a forger's aim:
/// then nothing is started only because the device does not know a recalculation yet.
Result<Work> find_work(const Options& options, const integrity::Params& params,
                       const integrity::Devices& devices) {
  if (params.reset_recalculate) return Work::all_tags;
  const auto superblock = TRY(integrity::read_superblock(params, devices));
  if (superblock.lacks_tags()) return Work::missing_tags;
  // A recalculation that has reached the end leaves its mark, and does not begin again by itself:
  // damage since then stays to be seen.
  if (!params.keyed())
    return superblock.has(integrity::Superblock::recalculating) ? Work::nothing : Work::all_tags;
  // Opening the device settles what its bitmap marks.
  if (superblock.has(integrity::Superblock::dirty_bitmap)) return Work::what_the_bitmap_marks;
  if (params.legacy_recalculate) return Work::all_tags;
  return Error(
      ErrorKind::invalid_argument,
      fmt::format("{}: no tags are missing; pass --reset to trust the data as they are and "
                  "give all of them new tags, after which earlier damage and forgeries "
                  "cannot be detected",
                  options.device));
}

/// Tells of damage that new tags are about to hide: in a sample, since reading all would take as
/// long as the work itself.
void warn_of_damage(const IntegrityTarget& target, const std::string& device) {
  constexpr std::uint64_t kSamples = 256;
  constexpr std::uint64_t kLength = 4096;  // bytes
  Bytes data(kLength);
  const std::uint64_t places = (target.size() + kLength - 1) / kLength;
  const std::uint64_t samples = std::min(kSamples, places);
  std::uint64_t bad = 0;
  for (std::uint64_t i = 0; i < samples; ++i) {
    const std::uint64_t at = places / samples * i * kLength;
    const auto done = target.read(
        at, MutableByteSpan(data).first(std::min<std::uint64_t>(kLength, target.size() - at)));
    if (!done && done.error().kind() == ErrorKind::tampered) ++bad;
  }
  // Tags that match nowhere have never been written.
  if (bad != 0 && bad != samples)
    warn(
        fmt::format("{}: in {} of {} sampled places of {} bytes the data did not match their "
                    "tags; the new tags match whatever is there, so this damage cannot be "
                    "detected any more",
                    device, bad, samples, kLength));
}

/// What was done to `device`, for people.
std::string report_of(Work work, const std::string& device, std::uint64_t sectors) {
  switch (work) {
    case Work::nothing:
      return device + ": no tags are missing; none were calculated (--reset calculates all)";
    case Work::missing_tags:
      return fmt::format("Calculated the missing tags of {}: {} sectors", device, sectors);
    case Work::all_tags:
      return fmt::format("Calculated all tags of {}: {} sectors", device, sectors);
    case Work::what_the_bitmap_marks:
      break;
  }
  return fmt::format("Calculated the tags that the bitmap marks on {}", device);
}

Result<int> recalculate(const Options& given) {
  Options options = given;
  options.recalculate_reset = options.reset;
  const auto files = TRY(options.open_files(block::Access::read_write));
  auto params = TRY(options.params(files.devices()));
  // With --reset the hash may change. Otherwise tags must not be replaced by those of a wrong key,
  // which could not be told from right ones afterwards. Nothing is served by this look.
  std::unique_ptr<IntegrityTarget> as_it_was;
  if (!options.reset) {
    integrity::Params as_it_is = params;
    as_it_is.legacy_recalculate = true;
    as_it_was = TRY(
        IntegrityTarget::open(as_it_is, files.devices(), {.read_only = true, .background = false})
            .context(options.device + " (--reset recalculates all tags)"));
  }
  const Work work = TRY(find_work(options, params, files.devices()));
  if (as_it_was && work == Work::all_tags) warn_of_damage(*as_it_was, options.device);
  as_it_was.reset();
  params.recalculate = work != Work::what_the_bitmap_marks;
  params.reset_recalculate = work == Work::all_tags;
  const auto target =
      TRY(IntegrityTarget::open(params, files.devices(), {.check_key = false, .background = false})
              .context(options.device));
  const std::uint64_t total = target->size();
  {
    StepProgress line(options.progress, options.device);
    TRY(target
            ->recalculate([&](std::uint64_t sector) {
              // The end is shown once.
              const std::uint64_t done = sector * integrity::kSectorSize;
              if (done < total) line.show("Recalculating", done, total);
              return true;
            })
            .context(options.device));
    line.show("Recalculating", total, total);
  }
  TRY(target->close().context(options.device));
  if (options.json)
    print("{}\n", to_text(Json{{"ok", true},
                               {"device", options.device},
                               {"sectors", total / integrity::kSectorSize}}));
  else
    print("{}\n", report_of(work, options.device, total / integrity::kSectorSize));
  return 0;
}

}  // namespace

void add_integrity_recalculate_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "recalculate",
      "Calculate missing tags, or without a key all of them if none are missing", recalculate);
  options->add_device(command);
  command->add_flag("--reset,--integrity-recalculate-reset", options->reset,
                    "Calculate all tags again: trusts the data as they are, which nothing verifies "
                    "before");
  options->add_algorithms(command);
  options->add_legacy_recalculate(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
