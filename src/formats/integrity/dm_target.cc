#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/byte_device.h>
#include <intact/block/linear_target.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/probe.h>

namespace intact::integrity {
namespace {

constexpr const char* kTarget = "integrity";

std::string damage_text(const std::string& name, const Mismatch& mismatch) {
  const std::uint64_t last = mismatch.sector + mismatch.sectors - 1;
  return fmt::format("DAMAGED {}: sectors {} to {} (bytes {} to {}): fail their tags", name,
                     mismatch.sector, last, mismatch.sector * kSectorSize,
                     (last + 1) * kSectorSize - 1);
}

/// A device of which a line uses only the beginning.
class Shortened final : public block::Device {
 public:
  Shortened(std::shared_ptr<IntegrityTarget> whole, std::unique_ptr<block::LinearTarget> part)
      : whole_(std::move(whole)), part_(std::move(part)) {}

  std::uint64_t size() const override { return part_->size(); }
  block::Limits limits() const override { return part_->limits(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return part_->read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    return part_->write(offset, bytes);
  }
  Result<void> flush() override { return part_->flush(); }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    return part_->discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    return part_->zero(offset, length);
  }
  std::vector<block::Counter> counters() const override { return whole_->counters(); }
  std::string dm_status() const override { return whole_->dm_status(); }
  std::string summary() const override { return whole_->summary(); }
  Result<void> close() override { return whole_->close(); }

 private:
  std::shared_ptr<IntegrityTarget> whole_;
  std::unique_ptr<block::LinearTarget> part_;
};

Result<TableLine> parse(const dm::Line& line, dm::Names& names) {
  return parse_table(line.arguments,
                     [&names](std::string_view reference) { return names.key(reference); })
      .context(kTarget);
}

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names& names,
                                                 const dm::Opening& opening) {
  const TableLine table = TRY(parse(line, names));
  Devices devices{.data = TRY(names.device(table.device))};
  if (!table.meta_device.empty()) devices.meta = TRY(names.device(table.meta_device));
  if (devices.meta == devices.data)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}: meta_device is the device with the data", kTarget));
  if (table.params.mode != Mode::recovery)
    for (const auto& device : {devices.data, devices.meta})
      if (device) TRY(opening.claim(*device, 0, device->size()).context(kTarget));
  // Sectors are written, now or after make_writable(), and the blocks of another target may be
  // larger.
  for (auto* const device : {&devices.data, &devices.meta})
    if (*device && (*device)->block_size() > kSectorSize)
      *device = std::make_shared<block::ByteDevice>(*device);
  IntegrityTarget::Options options;
  options.read_only =
      opening.read_only || !devices.data->writable() || !devices.of_meta().writable();
  // The lines of another format's prober come with a header of another type.
  const auto* const found = dynamic_cast<const FoundHeader*>(opening.header);
  if (found != nullptr && table.params.start == 0 && !devices.meta)
    options.superblock = found->on_disk;
  if (opening.events.log)
    options.on_mismatch = [log = opening.events.log, name = opening.name](
                              const Mismatch& mismatch) { log(damage_text(name, mismatch)); };
  std::shared_ptr<IntegrityTarget> target =
      TRY(IntegrityTarget::open(table.params, devices, std::move(options)));
  // As for the kernel: a line may be shorter than what the device provides.
  const auto length = checked_multiply(line.sectors, kSectorSize);
  if (!length || *length > target->size())
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}: the line has {} sectors, and the device provides {}", kTarget,
                             line.sectors, target->size() / kSectorSize));
  if (*length == target->size()) return std::shared_ptr<block::Device>(std::move(target));
  auto part = TRY(block::LinearTarget::open(target, {.offset = 0, .length = *length}));
  return std::shared_ptr<block::Device>(
      std::make_shared<Shortened>(std::move(target), std::move(part)));
}

/// The kernel does not check regions that the bitmap marks, and gives them new tags: with a key it
/// would vouch for the data of anyone who can write to the device.
Result<void> check_kernel_may(const Params& params, const IntegrityTarget& target) {
  if (!params.keyed() || params.mode == Mode::recovery || params.legacy_recalculate ||
      !target.superblock().has(Superblock::dirty_bitmap))
    return {};
  return Error(ErrorKind::unsupported,
               "the device was not closed in bitmap mode, and the kernel would trust the data in "
               "regions that the bitmap marks despite the key; verify them with `intact integrity "
               "replay --in-place`, or pass --integrity-legacy-recalculate to trust them");
}

Result<crypto::Secret> kernel_arguments(const dm::Line& line, dm::Names& names,
                                        const block::Device& opened,
                                        const dm::KernelName& kernel_name) {
  const TableLine table = TRY(parse(line, names));
  const auto* const target = dynamic_cast<const IntegrityTarget*>(&opened);
  if (target == nullptr)
    return Error(ErrorKind::unsupported, "integrity: the line is shorter than the device");
  TRY(check_kernel_may(table.params, *target));
  const std::string data = TRY(kernel_name(table.device));
  const std::string meta =
      table.meta_device.empty() ? std::string() : TRY(kernel_name(table.meta_device));
  const crypto::Secret words = target->table_with_keys(meta);
  crypto::Secret arguments(data.size() + 1 + words.size());
  const auto out = arguments.expose();
  std::ranges::copy(as_bytes(data), out.begin());
  out[data.size()] = std::byte{' '};
  std::ranges::copy(words.expose(), out.subspan(data.size() + 1).begin());
  return arguments;
}

}  // namespace

constinit const dm::Target kDmTarget = {.name = kTarget,
                                        .kernel_writes = true,
                                        .open = open_line,
                                        .kernel_arguments = kernel_arguments};

Result<dm::Line> make_line(const LineSpec& spec, dm::Names& names) {
  const Params defaults;
  const Params& params = spec.params;
  std::vector<std::string> options;
  const auto word = [&options](bool wanted, const char* name) {
    if (wanted) options.emplace_back(name);
  };
  const auto number = [&options](const char* name, const auto& value, const auto& usual) {
    if (value != usual) options.push_back(fmt::format("{}:{}", name, value));
  };
  const auto algorithm = [&](const char* name,
                             const std::optional<Algorithm>& chosen) -> Result<void> {
    if (!chosen) return {};
    std::string text = fmt::format("{}:{}", name, chosen->name);
    if (chosen->key) text += ":" + TRY(names.add(chosen->key));
    options.push_back(std::move(text));
    return {};
  };
  if (!spec.meta.empty()) options.push_back("meta_device:" + spec.meta);
  number("block_size", params.block_size, defaults.block_size);
  word(params.recalculate, "recalculate");
  word(params.reset_recalculate, "reset_recalculate");
  word(params.allow_discards, "allow_discards");
  if (params.journal_sectors)
    options.push_back(fmt::format("journal_sectors:{}", *params.journal_sectors));
  number("interleave_sectors", params.interleave_sectors, defaults.interleave_sectors);
  number("buffer_sectors", params.buffer_sectors, defaults.buffer_sectors);
  number("journal_watermark", params.journal_watermark, defaults.journal_watermark);
  number("commit_time", params.commit_time, defaults.commit_time);
  number("sectors_per_bit", params.sectors_per_bit, defaults.sectors_per_bit);
  number("bitmap_flush_interval", params.bitmap_flush_interval, defaults.bitmap_flush_interval);
  word(params.fix_padding, "fix_padding");
  word(params.fix_hmac, "fix_hmac");
  word(params.legacy_recalculate, "legacy_recalculate");
  word(params.legacy_hmac, "legacy_hmac");
  TRY(algorithm("internal_hash", params.internal_hash));
  TRY(algorithm("journal_crypt", params.journal_crypt));
  TRY(algorithm("journal_mac", params.journal_mac));
  dm::Line line{.sectors = spec.sectors,
                .target = kTarget,
                .arguments = {spec.data, fmt::to_string(params.start),
                              params.tag_size ? fmt::to_string(*params.tag_size) : "-",
                              std::string(1, static_cast<char>(params.mode)),
                              fmt::to_string(options.size())}};
  line.arguments.insert(line.arguments.end(), options.begin(), options.end());
  return line;
}

Result<dm::Table> make_table(const LineSpec& spec, dm::Names& names) {
  return dm::Table{.name = {}, .uuid = "CRYPT-INTEGRITY-", .lines = {TRY(make_line(spec, names))}};
}

}  // namespace intact::integrity
