#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/integrity/layout.h>
#include <intact/json/json.h>

#include "../verity_files.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Devices;
using integrity::DeviceSizes;
using integrity::IntegrityTarget;
using integrity::kSectorSize;
using integrity::Layout;
using integrity::Params;

constexpr std::uint64_t kChunk = 1 << 20;  // bytes

struct Options : IntegrityCommand {
  std::optional<std::uint64_t> size;         // sectors
  std::optional<std::uint64_t> device_size;  // bytes
  bool wipe = false;
};

/// The superblock and what follows from it for devices of any size.
struct Shape {
  integrity::Superblock superblock;
  Params params;

  /// What is provided; 0 where the devices are too small.
  std::uint64_t provided(DeviceSizes sizes) const {
    const auto layout = Layout::create(superblock, params, sizes);
    return layout ? layout->provided_data_sectors() : 0;
  }
};

/// The least that has a property which all that is larger has as well; `most` if nothing has.
template <typename Has>
std::uint64_t least(std::uint64_t most, Has has) {
  std::uint64_t low = 0, high = most;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (has(middle))
      high = middle;
    else
      low = middle + 1;
  }
  return high;
}

constexpr std::uint64_t kMostSectors = static_cast<std::uint64_t>(INT64_MAX) / kSectorSize;

/// The sizes that the files are to have, in sectors.
Result<DeviceSizes> wanted_sizes(const Options& options, const Shape& shape, DeviceSizes now) {
  DeviceSizes wanted = now;
  if (options.device_size) {
    if (*options.device_size % kSectorSize != 0)
      return Error(ErrorKind::invalid_argument, "--device-size is not a multiple of 512");
    wanted.data = *options.device_size / kSectorSize;
    return wanted;
  }
  if (!options.size) return wanted;
  const std::uint64_t size = *options.size;
  if (size == 0 || size > kMostSectors / 2)
    return Error(ErrorKind::invalid_argument, "--size is out of range");
  wanted.data = now.meta ? size : least(kMostSectors, [&](std::uint64_t sectors) {
    return shape.provided({.data = sectors}) >= size;
  });
  return wanted;
}

Result<void> set_length(const std::string& path, std::uint64_t bytes) {
  const UniqueFd fd = TRY(open_file(path, O_RDWR));
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISREG(st.st_mode))
    return Error(ErrorKind::invalid_argument,
                 path + " is no regular file: resize the device itself, then leave out the size");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 || ::fsync(fd.get()) != 0)
    return Error::from_errno(path, errno);
  return {};
}

/// Gives tags to sectors that had none: over zeros, or over what is there.
Result<void> fill(const Options& options, IntegrityTarget& target, const Devices& devices,
                  std::uint64_t first) {
  StepProgress line(options.progress, options.device);
  const Layout& layout = target.layout();
  const std::uint64_t end = layout.provided_data_sectors();
  Bytes buffer(kChunk);
  for (std::uint64_t sector = first; sector < end;) {
    line.show("Filling", (sector - first) * kSectorSize, (end - first) * kSectorSize);
    const std::uint64_t sectors =
        std::min({layout.contiguous_sectors(sector), end - sector, kChunk / kSectorSize});
    const MutableByteSpan bytes = MutableByteSpan(buffer).first(sectors * kSectorSize);
    if (options.wipe)
      std::ranges::fill(bytes, std::byte{});
    else
      TRY(devices.data->read(layout.data_sector(sector) * kSectorSize, bytes));
    TRY(target.write(sector * kSectorSize, bytes));
    sector += sectors;
  }
  if (first < end) line.show("Filling", (end - first) * kSectorSize, (end - first) * kSectorSize);
  return {};
}

/// Opens and closes it as it is: a wrong key is found here, and the journal is replayed to places
/// that are still there. Returns how many sectors had tags.
Result<std::uint64_t> settle(const Shape& shape, const Devices& devices) {
  const auto target =
      TRY(IntegrityTarget::open(shape.params, devices, {.may_shrink = true, .background = false}));
  TRY(target->close());
  return std::min(shape.superblock.provided_data_sectors, target->size() / kSectorSize);
}

/// Settles it and gives its file another length, if it is to have one.
Result<std::uint64_t> set_size(const Options& options, const Shape& shape, const Devices& devices) {
  const DeviceSizes now = devices.sizes();
  const DeviceSizes wanted = TRY(wanted_sizes(options, shape, now));
  const std::uint64_t after = shape.provided(wanted);
  if (after == 0 || after < options.size.value_or(0))
    return Error(
        ErrorKind::invalid_argument,
        "The device is too small: there is no room for journal, tags and data of that size");
  const std::uint64_t tagged = TRY(settle(shape, devices));
  if (wanted.data != now.data)
    TRY(set_length(options.data_device.empty() ? options.device : options.data_device,
                   wanted.data * kSectorSize));
  return tagged;
}

Result<int> resize(const Options& options) {
  Shape shape;
  std::uint64_t tagged = 0;
  {
    const auto files = TRY(options.open_files(block::Access::read_write));
    shape.params = TRY(options.params(files.devices()));
    shape.superblock =
        TRY(integrity::read_superblock(shape.params, files.devices()).context(options.device));
    tagged = TRY(set_size(options, shape, files.devices()).context(options.device));
  }
  const auto files = TRY(options.open_files(block::Access::read_write));
  const auto target =
      TRY(IntegrityTarget::open(shape.params, files.devices(),
                                {.may_shrink = true, .check_key = false, .background = false})
              .context(options.device));
  if (shape.params.internal_hash) TRY(fill(options, *target, files.devices(), tagged));
  TRY(target->close().context(options.device));
  const std::uint64_t before = shape.superblock.provided_data_sectors;
  const std::uint64_t after = target->size() / kSectorSize;
  if (options.json)
    print("{}\n", to_text(Json{{"device", options.device},
                               {"provided_data_sectors", after},
                               {"provided_data_sectors_before", before}}));
  else
    print("{} provides {} sectors, {} before\n", options.device, after, before);
  return 0;
}

}  // namespace

void add_integrity_resize_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "resize", "Give a device another size", resize);
  options->add_device(command);
  CLI::Option* const size = command->add_option(
      "-b,--size", options->size, "What it is to provide; else as much as its file has room for");
  size->type_name("SECTORS");
  command
      ->add_option("--device-size", options->device_size,
                   "How long the file with the data is to be")
      ->type_name("BYTES")
      ->excludes(size);
  command->add_flag("--wipe", options->wipe,
                    "Fill what is new with zeros; else it gets tags as it is");
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_legacy_recalculate(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
