#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/block/linear_target.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kChunk = 1 << 20;  // bytes
constexpr std::uint64_t kMaxSectors = static_cast<std::uint64_t>(INT64_MAX) / kSectorSize;

Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

/// The superblock and its layout for devices of any size.
struct Shape {
  Superblock superblock;
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

/// The requested sizes of the devices, in sectors.
Result<DeviceSizes> wanted_sizes(const ResizeRequest& request, const Shape& shape,
                                 DeviceSizes now) {
  DeviceSizes wanted = now;
  if (request.file_size) {
    if (*request.file_size % kSectorSize != 0)
      return wrong("--device-size: not a multiple of 512 bytes");
    wanted.data = *request.file_size / kSectorSize;
    return wanted;
  }
  if (!request.sectors) return wanted;
  const std::uint64_t size = *request.sectors;
  if (size == 0 || size > kMaxSectors / 2) return wrong("--size: out of range");
  wanted.data = now.meta ? size : least(kMaxSectors, [&](std::uint64_t sectors) {
    return shape.provided({.data = sectors}) >= size;
  });
  return wanted;
}

Result<void> check_has_length(const block::FileDevice& file) {
  struct stat st;
  if (::fstat(file.fd(), &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISREG(st.st_mode)) return {};
  return wrong(
      "the data are not in a regular file; resize their device itself, then leave out the size");
}

/// Changes the length of an open file and returns it as a device of the new size. Never by its
/// name, which may stand for another file by now; the lock stays with the descriptor.
Result<std::shared_ptr<block::FileDevice>> with_length(const block::FileDevice& file,
                                                       std::uint64_t bytes) {
  if (::ftruncate(file.fd(), static_cast<off_t>(bytes)) != 0 || ::fsync(file.fd()) != 0)
    return Error::from_errno("cannot change the length of the file with the data", errno);
  return std::shared_ptr<block::FileDevice>(
      TRY(block::FileDevice::create(TRY(duplicate_fd(file.fd())), block::Access::read_write)));
}

/// With a key, tags are a statement that the data are ours. Which sectors have none yet is a number
/// in the superblock. Unless a MAC covers it, anyone can lower it and have tags made for their
/// data; with one, they can put back an older superblock, from before the device grew. So what the
/// file has room for already is not new because the superblock says so. `existing`: sectors that it
/// has room for.
Result<void> check_new_tags(const Shape& shape, bool wipes, std::uint64_t existing,
                            std::uint64_t after) {
  const std::uint64_t tagged = std::min(shape.superblock.provided_data_sectors, existing);
  const Params& params = shape.params;
  if (!params.keyed() || params.legacy_recalculate || after <= tagged) return {};
  const bool is_covered = shape.superblock.has(Superblock::fixed_hmac) && params.journal_mac &&
                          !params.journal_mac->key_bytes().empty();
  if (is_covered && existing <= tagged) return {};  // this resize makes the room
  if (wipes && (is_covered || !shape.superblock.has(Superblock::recalculating))) return {};
  return Error(ErrorKind::unsupported,
               fmt::format("new tags for sectors {} to {} would vouch for data that nothing has "
                           "verified, and the superblock that calls them new {}; pass "
                           "{}--integrity-legacy-recalculate to trust the data",
                           tagged, after - 1,
                           is_covered ? "may be an older one that somebody put back" : "has no MAC",
                           wipes ? "" : "--wipe to fill them with zeros, or "));
}

/// Which sectors are new.
struct NewSectors {
  std::uint64_t first;
  std::uint64_t unverified_end;  ///< byte of the file up to which their data must not be kept
  std::uint64_t bytes;           ///< of the file with the data; it may be longer still
};

/// Opens and closes the device as it is: finds a wrong key, and replays the journal to places that
/// still exist. Returns how many sectors had tags.
Result<std::uint64_t> settle(const Shape& shape, const Devices& devices) {
  const auto target =
      TRY(IntegrityTarget::open(shape.params, devices, {.may_shrink = true, .background = false}));
  TRY(target->close());
  return std::min(shape.superblock.provided_data_sectors, target->size() / kSectorSize);
}

/// Settles the device and makes its file longer if that is requested; `data` is then a device of
/// the new length. What becomes shorter is only cut off when the superblock no longer has it.
Result<NewSectors> set_size(const Shape& shape, std::shared_ptr<block::FileDevice>& data,
                            const std::shared_ptr<block::Device>& meta,
                            const ResizeRequest& request) {
  const Devices devices{.data = data, .meta = meta};
  const DeviceSizes now = devices.sizes();
  const DeviceSizes wanted = TRY(wanted_sizes(request, shape, now));
  const std::uint64_t after = shape.provided(wanted);
  if (after == 0 || after < request.sectors.value_or(0))
    return wrong("The device is too small: no room for journal, tags and data of that size");
  if (wanted.data != now.data) TRY(check_has_length(*data));
  // Wrong keys and wrong numbers are found before anything is written.
  TRY(IntegrityTarget::open(shape.params, devices,
                            {.read_only = true, .may_shrink = true, .background = false}));
  TRY(check_new_tags(shape, request.wipe, shape.provided(now), after));
  const std::uint64_t tagged = TRY(settle(shape, devices));
  if (wanted.data > now.data) data = TRY(with_length(*data, wanted.data * kSectorSize));
  const bool trusts_data = !shape.params.keyed() || shape.params.legacy_recalculate;
  return NewSectors{.first = tagged,
                    .unverified_end = trusts_data ? 0 : now.data * kSectorSize,
                    .bytes = wanted.data * kSectorSize};
}

/// Gives tags to new sectors: fills them with zeros, or keeps the data that is there.
Result<void> fill(IntegrityTarget& target, const block::Device& data, NewSectors is_new, bool wipes,
                  const Progress& progress) {
  const std::uint64_t first = is_new.first;
  const Layout& layout = target.layout();
  const std::uint64_t end = layout.provided_data_sectors();
  const auto report = [&](std::uint64_t sector) {
    if (progress) progress((sector - first) * kSectorSize, (end - first) * kSectorSize);
  };
  Bytes buffer(kChunk);
  for (std::uint64_t sector = first; sector < end;) {
    report(sector);
    const std::uint64_t place = layout.data_sector(sector) * kSectorSize;
    std::uint64_t sectors =
        std::min({layout.contiguous_sectors(sector), end - sector, kChunk / kSectorSize});
    const bool is_unverified = place < is_new.unverified_end;
    if (is_unverified)
      sectors = std::min(
          sectors, align_up(is_new.unverified_end - place, std::uint64_t{layout.block_size()}) /
                       kSectorSize);
    const MutableByteSpan bytes = MutableByteSpan(buffer).first(sectors * kSectorSize);
    if (wipes || is_unverified)
      std::ranges::fill(bytes, std::byte{});
    else
      TRY(data.read(place, bytes));
    TRY(target.write(sector * kSectorSize, bytes));
    sector += sectors;
  }
  if (first < end) report(end);
  return {};
}

}  // namespace

Result<Resized> resize(const Params& given, const std::shared_ptr<block::FileDevice>& file,
                       const std::shared_ptr<block::Device>& meta, const ResizeRequest& request,
                       const Progress& progress) {
  std::shared_ptr<block::FileDevice> data = file;
  const Shape shape{.superblock = TRY(read_superblock(given, {.data = data, .meta = meta})),
                    .params = given};
  const NewSectors is_new = TRY(set_size(shape, data, meta, request));
  std::shared_ptr<block::Device> used = data;
  if (is_new.bytes < data->size())
    used = TRY(block::LinearTarget::open(data, {.offset = 0, .length = is_new.bytes}));
  Params params = given;
  // Then what is new has to be recalculated as well: the superblock says up to where it has been.
  const bool was_recalculated = shape.superblock.has(Superblock::recalculating) &&
                                shape.superblock.recalc_sector >= is_new.first;
  params.recalculate = was_recalculated;
  const auto target =
      TRY(IntegrityTarget::open(params, {.data = used, .meta = meta},
                                {.may_shrink = true, .check_key = false, .background = false}));
  if (params.internal_hash) TRY(fill(*target, *used, is_new, request.wipe, progress));
  if (params.internal_hash && was_recalculated) TRY(target->recalculate());
  TRY(target->close());
  // A crash before this leaves the new size in a file that is longer than it has to be; the other
  // way round it would leave a device that was cut short.
  if (is_new.bytes < data->size()) {
    TRY(data->flush());
    data = TRY(with_length(*data, is_new.bytes));
  }
  return Resized{.before = shape.superblock.provided_data_sectors,
                 .sectors = target->size() / kSectorSize,
                 .file_before = file->size(),
                 .file_size = data->size()};
}

}  // namespace intact::integrity
