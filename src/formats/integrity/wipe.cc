#include <algorithm>
#include <atomic>

#include <intact/base/worker_pool.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kWipeChunk = 1 << 20;  // bytes

/// Whether the bytes that identify most formats are zero.
Result<bool> is_blank(const block::Device& device, std::uint64_t offset) {
  if (offset >= device.size()) return true;  // refused later as too small
  Bytes head(std::min<std::uint64_t>(kSuperblockSize, device.size() - offset));
  TRY(device.read(offset, head));
  return std::ranges::all_of(head, [](std::byte b) { return b == std::byte{}; });
}

}  // namespace

Result<Params> check_format(Params params, const Devices& devices) {
  params.tag_size = TRY(check_params(params, devices.meta != nullptr));
  TRY(check_mode(params));
  TRY(plan_format(params, devices.sizes()));
  return params;
}

Result<Occupied> find_occupied(const Params& params, const Devices& devices) {
  if (params.start > devices.of_meta().size() / kSectorSize)
    return Error(ErrorKind::invalid_argument, "The device is too small: it ends before --start");
  return Occupied{
      .superblock = !TRY(is_blank(devices.of_meta(), params.start * kSectorSize)),
      .data = devices.meta && !TRY(is_blank(*devices.data, 0)),
  };
}

Result<void> erase_superblock(const Params& params, const Devices& devices) {
  block::Device& device = devices.of_meta();
  const std::uint64_t place = params.start * kSectorSize;
  TRY(device.zero(place, std::min<std::uint64_t>(kSuperblockSize, device.size() - place)));
  return device.flush();
}

Result<void> wipe(const Params& params, const Devices& devices, const Progress& progress) {
  if (!params.internal_hash)
    return Error(ErrorKind::invalid_argument, "no internal hash to make tags with");
  Params direct = params;
  direct.mode = Mode::direct;
  const auto target =
      TRY(IntegrityTarget::open(direct, devices, {.check_key = false, .background = false}));
  const std::uint64_t size = target->size();
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
      // The end is reported once, when all of it is durable.
      if (const std::uint64_t so_far = done; progress && so_far != size) progress(so_far, size);
    }
    TRY(pool.wait());
  }
  TRY(target->close());
  if (progress) progress(size, size);
  return {};
}

}  // namespace intact::integrity
