#include <algorithm>
#include <atomic>

#include <fmt/format.h>

#include <intact/base/worker_pool.h>
#include <intact/integrity/layout.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Devices;
using integrity::IntegrityTarget;
using integrity::Params;

constexpr std::uint64_t kWipeChunk = 1 << 20;  // bytes

struct Options : IntegrityCommand {
  bool no_wipe = false;
};

bool is_zero(ByteSpan bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
}

/// Whether the bytes that identify most formats are zero.
Result<bool> is_blank(const block::Device& target, std::uint64_t offset) {
  if (offset >= target.size()) return true;  // refused later as too small
  Bytes head(std::min<std::uint64_t>(integrity::kSuperblockSize, target.size() - offset));
  TRY(target.read(offset, head));
  return is_zero(head);
}

/// Refuses to overwrite existing data without --batch-mode, then clears the superblock's place.
Result<void> clear_the_way(const Options& options, const Params& params, const Devices& devices) {
  const auto refuse = [](const std::string& file, const char* other) {
    return Error(
        ErrorKind::exists,
        fmt::format("{}: not empty; pass --batch-mode (-q) to overwrite it{}", file, other));
  };
  if (params.start > devices.of_meta().size() / integrity::kSectorSize)
    return Error(ErrorKind::invalid_argument, "The device is too small: it ends before --start");
  const std::uint64_t place = params.start * integrity::kSectorSize;
  const bool blank = TRY(is_blank(devices.of_meta(), place).context(options.device));
  if (!options.progress.quiet) {
    if (!blank) return refuse(options.device, "");
    if (devices.meta && !options.no_wipe && !TRY(is_blank(*devices.data, 0)))
      return refuse(options.data_device, ", or --no-wipe to keep it");
  }
  if (blank) return {};
  const std::uint64_t size = devices.of_meta().size() - place;
  TRY(devices.of_meta()
          .zero(place, std::min<std::uint64_t>(integrity::kSuperblockSize, size))
          .context(options.device));
  return devices.of_meta().flush();
}

/// Writes zeros to the whole device, which gives every block its tag. Nothing is lost if that is
/// interrupted, so no journal is needed.
Result<void> wipe(const Options& options, Params params, const Devices& devices) {
  params.mode = integrity::Mode::direct;
  const auto target =
      TRY(IntegrityTarget::open(params, devices, {.check_key = false, .background = false}));
  const std::uint64_t size = target->size();
  StepProgress line(options.progress, options.device);
  std::atomic<std::uint64_t> done = 0;
  {
    WorkerPool pool;
    for (std::uint64_t offset = 0; offset < size && !pool.failed(); offset += kWipeChunk) {
      pool.submit([&, offset]() -> Result<void> {
        const std::uint64_t length = std::min(kWipeChunk, size - offset);
        TRY(target->zero(offset, length));
        done += length;
        return {};
      });
      if (const std::uint64_t so_far = done; so_far != size) line.show("Wiping", so_far, size);
    }
    TRY(pool.wait());
  }
  TRY(target->close());
  line.show("Wiping", size, size);
  return {};
}

Result<int> format(const Options& options) {
  Params params = TRY(options.format_params());
  if (!options.in_line) params.mode = integrity::Mode::journal;  // can be opened in all other modes
  const auto files = TRY(options.open_files(block::Access::read_write));
  const Devices devices = files.devices();
  // Everything that can be refused is refused before anything is written.
  params.tag_size = TRY(integrity::check_params(params, devices.meta != nullptr));
  TRY(integrity::check_mode(params));
  TRY(integrity::plan_format(params, devices.sizes()).context(options.device));
  TRY(clear_the_way(options, params, devices));
  const auto superblock = TRY(integrity::format(params, devices).context(options.device));
  if (!options.no_wipe) {
    if (params.internal_hash)
      TRY(wipe(options, params, devices));
    else
      warn("no tags were written, since the device has no internal hash");
  }
  const std::string hash = params.internal_hash ? params.internal_hash->name : "none";
  if (options.json)
    print("{}\n", to_text(Json{{"device", options.device},
                               {"integrity_tag_size", superblock.tag_size},
                               {"integrity", hash},
                               {"provided_data_sectors", superblock.provided_data_sectors},
                               {"wiped", !options.no_wipe}}));
  else
    print("Formatted with tag size {}, internal integrity {}.\n", superblock.tag_size, hash);
  return 0;
}

}  // namespace

void add_integrity_format_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "format", "Create a device filled with zeros and their tags", format);
  options->add_device(command);
  options->add_algorithms(command);
  options->add_format(command);
  options->add_tuning(command);
  options->add_mode(command);
  command->add_flag("--no-wipe", options->no_wipe,
                    "Write no data and no tags: reads fail until blocks are written or tags "
                    "recalculated");
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
