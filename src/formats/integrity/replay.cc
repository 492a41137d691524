#include <utility>

#include <intact/base/grown_files.h>
#include <intact/block/device_files.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/manage.h>

namespace intact::integrity {

Result<Replayed> replay(const Params& params, const Devices& devices) {
  const auto target = TRY(IntegrityTarget::open(params, devices, {.background = false}));
  const IntegrityTarget::Status status = target->status();
  TRY(target->close());
  const Superblock left = target->superblock();
  return Replayed{
      .sections = status.replayed_sections,
      .blocks = status.replayed_blocks,
      .retagged_sectors = status.retagged_sectors,
      .first_without_tag = left.lacks_tags() ? std::optional(left.recalc_sector) : std::nullopt};
}

Result<void> check_replay(const Params& params, const Devices& devices) {
  const JournalReport report = TRY(report_journal(params, devices));
  if (report.refused.empty()) return {};
  return Error(ErrorKind::tampered, report.refused);
}

Result<Replayed> replay_into_copy(const Params& params, const Devices& devices,
                                  const CopyNames& names, const Progress& progress) {
  GrownFiles made;
  Devices copies;
  std::shared_ptr<block::Device> first =
      TRY(block::copy_into_new(made, names.meta, devices.of_meta(), progress));
  if (devices.meta) {
    copies.data = TRY(block::copy_into_new(made, names.data, *devices.data, progress));
    copies.meta = std::move(first);
  } else {
    copies.data = std::move(first);
  }
  const Replayed done = TRY(replay(params, copies).context(names.meta));
  TRY(made.publish());
  made.keep();
  return done;
}

}  // namespace intact::integrity
