#include <fmt/format.h>

#include "integrity_target_impl.h"

namespace intact::integrity {
namespace {

Error has_hash() {
  return Error(ErrorKind::invalid_argument, "this device computes its own tags");
}

/// Whether there is a tag for each block of a request.
Result<void> check_tags(const IntegrityTarget& target, std::uint64_t offset, std::size_t bytes,
                        std::size_t tags) {
  TRY(block::check_blocks(target, offset, bytes));
  if (tags != bytes / target.block_size() * target.tag_size())
    return Error(ErrorKind::invalid_argument, "the request does not have one tag for each block");
  return {};
}

}  // namespace

Result<void> IntegrityTarget::read_tagged(std::uint64_t offset, MutableByteSpan out,
                                          MutableByteSpan tags) const {
  if (impl_->volume().hash) return has_hash();
  TRY(check_tags(*this, offset, out.size(), tags.size()));
  TRY(impl_->check_usable());
  return impl_->device.reader->read(offset / block_size(), out, tags);
}

Result<void> IntegrityTarget::write_tagged(std::uint64_t offset, ByteSpan bytes, ByteSpan tags) {
  if (impl_->volume().hash) return has_hash();
  TRY(check_tags(*this, offset, bytes.size(), tags.size()));
  TRY(impl_->check_write(*this, offset, bytes.size()));
  return impl_->device.mode->write(offset / block_size(), bytes, tags);
}

bool IntegrityTarget::is_checked(std::uint64_t offset, std::uint64_t& length) const {
  const Recalculation* const recalculation = impl_->device.recalculation.get();
  if (recalculation == nullptr) return false;
  bool valid = false;
  // The run of whole sectors around the range, minus what precedes it.
  const std::uint64_t within = offset % kSectorSize;
  const std::uint64_t sectors = (within + length + kSectorSize - 1) / kSectorSize;
  const std::uint64_t alike =
      recalculation->run(offset / kSectorSize, sectors, valid) * kSectorSize - within;
  length = std::min(length, alike);
  return valid;
}

Result<void> IntegrityTarget::recalculate(const std::function<bool(std::uint64_t)>& progress) {
  TRY(impl_->check_usable());
  Recalculation* const recalculation = impl_->device.recalculation.get();
  if (recalculation == nullptr || !impl_->device.mode)
    return Error(ErrorKind::invalid_argument,
                 "recalculating needs an internal hash and a writable device");
  while (!recalculation->done()) {
    TRY(recalculation->step());
    if (progress && !progress(recalculation->position())) break;
  }
  return recalculation->save();
}

IntegrityTarget::Status IntegrityTarget::status() const {
  const OpenDevice& device = impl_->device;
  const Superblock superblock = this->superblock();
  Status status{.mismatches = device.reader->mismatches(),
                .provided_data_sectors = layout().provided_data_sectors(),
                .recalc_sector = {},
                .replayed_sections = device.replayed_sections,
                .replayed_blocks = device.replayed_blocks,
                .commits = device.ring ? device.ring->commits() : 0,
                .journal_free_entries = device.ring ? device.ring->free_entries() : 0,
                .dirty_regions = device.mode ? dirty_regions(*device.mode) : device.marked_regions,
                .retagged_sectors = device.retagged_sectors,
                .failure = impl_->volume().failure.message()};
  if (superblock.has(Superblock::recalculating))
    status.recalc_sector =
        device.recalculation ? device.recalculation->position() : superblock.recalc_sector;
  return status;
}

std::vector<block::Counter> IntegrityTarget::counters() const {
  const Status status = this->status();
  std::vector<block::Counter> counters = {{"writable", writable()},
                                          {"mismatches", status.mismatches},
                                          {"provided_data_sectors", status.provided_data_sectors},
                                          {"recalc_sector", {}},
                                          {"replayed_sections", status.replayed_sections},
                                          {"replayed_blocks", status.replayed_blocks},
                                          {"commits", status.commits},
                                          {"journal_free_entries", status.journal_free_entries},
                                          {"dirty_regions", status.dirty_regions},
                                          {"retagged_sectors", status.retagged_sectors},
                                          {"failure", {}}};
  if (status.recalc_sector) counters[3].value = *status.recalc_sector;
  if (status.failure) counters.back().value = *status.failure;
  return counters;
}

std::string IntegrityTarget::dm_status() const {
  const Status status = this->status();
  return fmt::format("{} {} {}", status.mismatches, status.provided_data_sectors,
                     status.recalc_sector ? std::to_string(*status.recalc_sector) : "-");
}

std::string IntegrityTarget::summary() const {
  const Status status = this->status();
  std::string text;
  const auto add = [&text](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", count, what);
  };
  add(status.replayed_blocks, "blocks replayed from the journal");
  add(status.retagged_sectors, "sectors given new tags without a check of their data");
  add(status.mismatches, "reads of damaged blocks");
  return text;
}

}  // namespace intact::integrity
