#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/console/size_option.h>
#include <intact/integrity/layout.h>
#include <intact/json/json.h>

#include "command.h"
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

/// The superblock and its layout for devices of any size.
struct Shape {
  integrity::Superblock superblock;
  Params params;

  /// The provided size; 0 if the devices are too small.
  std::uint64_t provided(DeviceSizes sizes) const {
    const auto layout = Layout::create(superblock, params, sizes);
    return layout ? layout->provided_data_sectors() : 0;
  }
};

/// The least value with a property that all larger values have as well; `max` if there is none.
template <typename Has>
std::uint64_t least(std::uint64_t max, Has has) {
  std::uint64_t low = 0, high = max;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (has(middle))
      high = middle;
    else
      low = middle + 1;
  }
  return high;
}

constexpr std::uint64_t kMaxSectors = static_cast<std::uint64_t>(INT64_MAX) / kSectorSize;

/// The requested sizes of the files, in sectors.
Result<DeviceSizes> wanted_sizes(const Options& options, const Shape& shape, DeviceSizes now) {
  DeviceSizes wanted = now;
  if (options.device_size) {
    if (*options.device_size % kSectorSize != 0)
      return Error(ErrorKind::invalid_argument, "--device-size: not a multiple of 512 bytes");
    wanted.data = *options.device_size / kSectorSize;
    return wanted;
  }
  if (!options.size) return wanted;
  const std::uint64_t size = *options.size;
  if (size == 0 || size > kMaxSectors / 2)
    return Error(ErrorKind::invalid_argument, "--size: out of range");
  wanted.data = now.meta ? size : least(kMaxSectors, [&](std::uint64_t sectors) {
    return shape.provided({.data = sectors}) >= size;
  });
  return wanted;
}

/// Changes the length of an open file and returns it as a target of the new size. Never by its
/// name, which may stand for another file by now; the lock stays with the descriptor.
Result<dm::File> with_length(const dm::File& file, const std::string& name, std::uint64_t bytes) {
  struct stat st;
  if (::fstat(file->fd(), &st) != 0) return Error::from_errno(name, errno);
  if (!S_ISREG(st.st_mode))
    return Error(ErrorKind::invalid_argument,
                 name + ": not a regular file; resize the device itself, then leave out the size");
  if (::ftruncate(file->fd(), static_cast<off_t>(bytes)) != 0 || ::fsync(file->fd()) != 0)
    return Error::from_errno(name, errno);
  UniqueFd same = TRY(duplicate_fd(file->fd()).context(name));
  return dm::File(
      TRY(block::FileDevice::create(std::move(same), block::Access::read_write).context(name)));
}

/// Which sectors are new.
struct NewSectors {
  std::uint64_t first;
  std::uint64_t unverified_end;  ///< byte of the file up to which their data must not be kept
};

/// Gives tags to new sectors: fills them with zeros, or keeps the data that is there.
Result<void> fill(const Options& options, IntegrityTarget& target, const Devices& devices,
                  NewSectors is_new) {
  const std::uint64_t first = is_new.first;
  StepProgress line(options.progress, options.device);
  const Layout& layout = target.layout();
  const std::uint64_t end = layout.provided_data_sectors();
  Bytes buffer(kChunk);
  for (std::uint64_t sector = first; sector < end;) {
    line.show("Filling", (sector - first) * kSectorSize, (end - first) * kSectorSize);
    const std::uint64_t place = layout.data_sector(sector) * kSectorSize;
    std::uint64_t sectors =
        std::min({layout.contiguous_sectors(sector), end - sector, kChunk / kSectorSize});
    const bool is_unverified = place < is_new.unverified_end;
    if (is_unverified)
      sectors = std::min(
          sectors, align_up(is_new.unverified_end - place, std::uint64_t{layout.block_size()}) /
                       kSectorSize);
    const MutableByteSpan bytes = MutableByteSpan(buffer).first(sectors * kSectorSize);
    if (options.wipe || is_unverified)
      std::ranges::fill(bytes, std::byte{});
    else
      TRY(devices.data->read(place, bytes));
    TRY(target.write(sector * kSectorSize, bytes));
    sector += sectors;
  }
  if (first < end) line.show("Filling", (end - first) * kSectorSize, (end - first) * kSectorSize);
  return {};
}

/// Opens and closes the device as it is: finds a wrong key, and replays the journal to places that
/// still exist. Returns how many sectors had tags.
Result<std::uint64_t> settle(const Shape& shape, const Devices& devices) {
  const auto target =
      TRY(IntegrityTarget::open(shape.params, devices, {.may_shrink = true, .background = false}));
  TRY(target->close());
  return std::min(shape.superblock.provided_data_sectors, target->size() / kSectorSize);
}

/// With a key, tags are a statement that the data are ours. Which sectors have none yet is a number
/// in the superblock. Unless a MAC covers it, anyone can lower it and have tags made for their
/// data; with one, they can put back an older superblock, from before the device grew. So what the
/// file has room for already is not new because the superblock says so. `existing`: sectors that it
/// has room for.
Result<void> check_new_tags(const Options& options, const Shape& shape, std::uint64_t existing,
                            std::uint64_t after) {
  const std::uint64_t tagged = std::min(shape.superblock.provided_data_sectors, existing);
  const Params& params = shape.params;
  if (!params.keyed() || params.legacy_recalculate || after <= tagged) return {};
  using integrity::Superblock;
  const bool is_covered = shape.superblock.has(Superblock::fixed_hmac) && params.journal_mac &&
                          !params.journal_mac->key_bytes().empty();
  if (is_covered && existing <= tagged) return {};  // this command makes the room
  if (options.wipe && (is_covered || !shape.superblock.has(Superblock::recalculating))) return {};
  return Error(ErrorKind::unsupported,
               fmt::format("new tags for sectors {} to {} would vouch for data that nothing has "
                           "verified, and the superblock that calls them new {}; pass "
                           "{}--integrity-legacy-recalculate to trust the data",
                           tagged, after - 1,
                           is_covered ? "may be an older one that somebody put back" : "has no MAC",
                           options.wipe ? "" : "--wipe to fill them with zeros, or "));
}

/// Settles the device and changes the length of its file if requested.
Result<NewSectors> set_size(const Options& options, const Shape& shape,
                            IntegrityOptions::Files& files) {
  const Devices devices = files.devices();
  const DeviceSizes now = devices.sizes();
  const DeviceSizes wanted = TRY(wanted_sizes(options, shape, now));
  const std::uint64_t after = shape.provided(wanted);
  if (after == 0 || after < options.size.value_or(0))
    return Error(ErrorKind::invalid_argument,
                 "The device is too small: no room for journal, tags and data of that size");
  // Wrong keys and wrong numbers are found before anything is written.
  TRY(IntegrityTarget::open(shape.params, devices,
                            {.read_only = true, .may_shrink = true, .background = false}));
  TRY(check_new_tags(options, shape, shape.provided(now), after));
  const std::uint64_t tagged = TRY(settle(shape, devices));
  if (wanted.data != now.data)
    files.data = TRY(with_length(files.data,
                                 options.data_device.empty() ? options.device : options.data_device,
                                 wanted.data * kSectorSize));
  const bool trusts_data = !shape.params.keyed() || shape.params.legacy_recalculate;
  return NewSectors{.first = tagged, .unverified_end = trusts_data ? 0 : now.data * kSectorSize};
}

Result<int> resize(const Options& options) {
  Shape shape;
  auto files = TRY(options.open_files(block::Access::read_write));
  shape.params = TRY(options.params(files.devices()));
  shape.superblock =
      TRY(integrity::read_superblock(shape.params, files.devices()).context(options.device));
  const NewSectors is_new = TRY(set_size(options, shape, files).context(options.device));
  Params params = shape.params;
  // Then what is new has to be recalculated as well: the superblock says up to where it has been.
  const bool was_recalculated = shape.superblock.has(integrity::Superblock::recalculating) &&
                                shape.superblock.recalc_sector >= is_new.first;
  params.recalculate = was_recalculated;
  const auto target =
      TRY(IntegrityTarget::open(params, files.devices(),
                                {.may_shrink = true, .check_key = false, .background = false})
              .context(options.device));
  if (params.internal_hash) TRY(fill(options, *target, files.devices(), is_new));
  if (params.internal_hash && was_recalculated) TRY(target->recalculate().context(options.device));
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
      program, group, "resize", "Change the size of a device", resize);
  options->add_device(command);
  CLI::Option* const size =
      add_size_option(command, "-b,--size", options->size,
                      "New usable size (default: all available space)", SizeUnit::sector);
  command->add_option("--device-size", options->device_size, "New length of the file with the data")
      ->transform(whole_sectors())
      ->type_name("BYTES")
      ->excludes(size);
  command->add_flag(
      "--wipe", options->wipe,
      "Fill new sectors with zeros (default: keep their data and calculate tags for it)");
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_legacy_recalculate(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
