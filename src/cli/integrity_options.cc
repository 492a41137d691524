#include "integrity_options.h"

#include <cctype>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/superblock.h>

#include "verity_files.h"

namespace intact::cli {
namespace {

constexpr std::uint32_t kMaxKeySize = 4096;  // bytes, as integritysetup's

Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

void add_key_options(CLI::App* command, KeyedAlgorithm& algorithm, const std::string& prefix) {
  CLI::Option* const file = command->add_option(prefix + "-key-file", algorithm.key_file,
                                                "Read the key of that algorithm from this file");
  file->type_name("FILE");
  command
      ->add_option(prefix + "-key-fd", algorithm.key_fd,
                   "Read it from this open file descriptor of the process")
      ->type_name("N")
      ->excludes(file);
  command
      ->add_option(prefix + "-key-size", algorithm.key_size,
                   "Size of that key; else it is all that can be read")
      ->type_name("BYTES");
}

Result<crypto::Secret> read_key(const KeyedAlgorithm& algorithm) {
  if (algorithm.key_fd) return crypto::Secret::read_from(*algorithm.key_fd, kMaxKeySize);
  const UniqueFd fd = TRY(open_file(algorithm.key_file, O_RDONLY));
  return crypto::Secret::read_from(fd.get(), kMaxKeySize).context(algorithm.key_file);
}

}  // namespace

std::string kernel_algorithm(const std::string& name) {
  const std::size_t dash = name.find('-');
  if (name.find('(') != std::string::npos || dash == std::string::npos || dash + 1 == name.size() ||
      std::isdigit(static_cast<unsigned char>(name[dash + 1])))
    return name;
  return fmt::format("{}({})", name.substr(0, dash), name.substr(dash + 1));
}

Result<std::optional<integrity::Algorithm>> KeyedAlgorithm::load(const char* option) const {
  const bool keyed = !key_file.empty() || key_fd;
  if (name.empty() || name == "none") {
    if (keyed) return wrong(fmt::format("a key without algorithm: give {}", option));
    return std::optional<integrity::Algorithm>();
  }
  integrity::Algorithm algorithm{.name = kernel_algorithm(name)};
  if (!keyed) {
    if (key_size) return wrong(fmt::format("{}: a size of a key that is not given", option));
    return std::optional(std::move(algorithm));
  }
  crypto::Secret key = TRY(read_key(*this).context(option));
  if (key_size && *key_size > kMaxKeySize)
    return wrong(fmt::format("{}: keys have at most {} bytes", option, kMaxKeySize));
  if (key_size && *key_size > key.size())
    return Error(ErrorKind::bad_secret,
                 fmt::format("{}: the key has {} bytes and not {}", option, key.size(), *key_size));
  if (key_size) key = crypto::Secret::copy_of(key.expose().first(*key_size));
  algorithm.key = std::make_shared<const crypto::Secret>(std::move(key));
  return std::optional(std::move(algorithm));
}

void IntegrityOptions::add_device(CLI::App* command, bool required) {
  command->add_option("FILE", device, "Device or file with superblock, journal and tags")
      ->type_name("FILE")
      ->required(required);
  add_place(command);
}

void IntegrityOptions::add_talk(CLI::App* command) {
  command->add_flag("-q,--batch-mode", progress.quiet, "Ask nothing, and show no progress");
  command->add_flag("--debug", debug, "Say on stderr where the parts of the device lie");
}

void IntegrityOptions::add_progress(CLI::App* command) {
  command->add_flag("--progress-json", progress.json,
                    "Print progress as lines of JSON on stdout, every half second");
  command
      ->add_option("--progress-frequency", progress.frequency, "Print a line of progress so often")
      ->type_name("SECONDS");
}

void IntegrityOptions::add_place(CLI::App* command) {
  command
      ->add_option("--data-device", data_device,
                   "The data lie apart, on this device or file, and not among the tags")
      ->type_name("FILE");
  command
      ->add_option("--start", start,
                   "Reserved sectors in front of the superblock: the offset in the kernel's table")
      ->type_name("SECTORS");
}

void IntegrityOptions::add_key(CLI::App* command) {
  add_key_options(command, integrity, "--integrity");
}

void IntegrityOptions::add_algorithms(CLI::App* command) {
  command
      ->add_option("-I,--integrity", integrity.name,
                   "What makes the tags: crc32c, crc32, xxhash64, sha256, hmac-sha256, ...")
      ->type_name("ALGORITHM");
  add_key(command);
  command
      ->add_option("--journal-integrity", journal_integrity.name,
                   "What authenticates the journal: hmac-sha256, ...")
      ->type_name("ALGORITHM");
  add_key_options(command, journal_integrity, "--journal-integrity");
  command
      ->add_option("--journal-crypt", journal_crypt.name,
                   "What encrypts the journal: ctr-aes, cbc-aes, ...")
      ->type_name("ALGORITHM");
  add_key_options(command, journal_crypt, "--journal-crypt");
}

void IntegrityOptions::add_format(CLI::App* command) {
  command
      ->add_option("-t,--tag-size", tag_size,
                   "Size of a tag; else that of a digest. A longer digest is cut")
      ->type_name("BYTES");
  command->add_option("-s,--sector-size", sector_size, "What a tag protects: 512 to 4096")
      ->type_name("BYTES");
  command
      ->add_option("-j,--journal-size", journal_size,
                   "Size of the journal; else 1/128 of the device, at most 64 MiB")
      ->type_name("BYTES");
  command
      ->add_option("--interleave-sectors", interleave_sectors,
                   "Sectors of data between two runs of tags")
      ->type_name("SECTORS");
  command->add_flag("--integrity-legacy-padding", legacy_padding,
                    "Runs of tags are padded as by kernels before 5.0");
  command->add_flag("--integrity-legacy-hmac", legacy_hmac,
                    "No salt, superblock not under the MAC: as by kernels before 5.11");
}

void IntegrityOptions::add_tuning(CLI::App* command) {
  command->add_option("--buffer-sectors", buffer_sectors, "Sectors of a buffer of tags")
      ->type_name("SECTORS");
  command
      ->add_option("--journal-watermark", journal_watermark,
                   "How full the journal gets before it is written back")
      ->type_name("PERCENT");
  command
      ->add_option("--journal-commit-time", journal_commit_time,
                   "After this time what was written is committed unasked")
      ->type_name("MS");
  command
      ->add_option("--bitmap-sectors-per-bit", bitmap_sectors_per_bit,
                   "Sectors for a bit of the bitmap, a power of two")
      ->type_name("SECTORS");
  command
      ->add_option("--bitmap-flush-time", bitmap_flush_time,
                   "After this time regions that are in order are marked so")
      ->type_name("MS");
}

void IntegrityOptions::add_mode(CLI::App* command) {
  CLI::Option* const direct =
      command->add_flag("-D,--integrity-no-journal", no_journal,
                        "Without journal: a crash may leave blocks that fail their tags");
  command
      ->add_flag("-B,--integrity-bitmap-mode", bitmap_mode,
                 "A bitmap instead of the journal: after a crash what was being written to gets "
                 "new tags")
      ->excludes(direct);
  command->add_flag("--integrity-inline", in_line,
                    "Tags in the device's own metadata of each block: not supported");
}

void IntegrityOptions::add_legacy_recalculate(CLI::App* command) {
  command->add_flag("--integrity-legacy-recalculate", legacy_recalculate,
                    "Recalculate even where an attacker could have asked for it");
}

void IntegrityOptions::add_opening(CLI::App* command) {
  command
      ->add_flag("-R,--integrity-recovery-mode", recovery_mode,
                 "Read-only: no tag is checked, the journal is not heeded")
      ->excludes("--integrity-bitmap-mode")
      ->excludes("--integrity-no-journal");
  CLI::Option* const reset = command->add_flag("--integrity-recalculate-reset", recalculate_reset,
                                               "Compute all tags anew, from the first one on");
  command
      ->add_flag("--integrity-recalculate", recalculate,
                 "Compute in the background the tags that are not valid yet")
      ->excludes(reset);
  add_legacy_recalculate(command);
  command->add_flag("--allow-discards", allow_discards,
                    "Let blocks be discarded; they read as anything then");
}

Result<integrity::Params> IntegrityOptions::given_params() const {
  integrity::Params params{.start = start,
                           .tag_size = tag_size,
                           .block_size = sector_size,
                           .interleave_sectors = interleave_sectors,
                           .fix_padding = !legacy_padding,
                           .fix_hmac = !legacy_hmac,
                           .buffer_sectors = buffer_sectors,
                           .journal_watermark = journal_watermark,
                           .commit_time = journal_commit_time,
                           .sectors_per_bit = bitmap_sectors_per_bit,
                           .bitmap_flush_interval = bitmap_flush_time,
                           .recalculate = recalculate || recalculate_reset,
                           .reset_recalculate = recalculate_reset,
                           .legacy_recalculate = legacy_recalculate,
                           .allow_discards = allow_discards};
  if (journal_size) {
    if (*journal_size % integrity::kSectorSize != 0)
      return wrong("--journal-size is not a multiple of 512");
    if (!std::in_range<std::uint32_t>(*journal_size / integrity::kSectorSize))
      return wrong("--journal-size is too large");
    params.journal_sectors = static_cast<std::uint32_t>(*journal_size / integrity::kSectorSize);
  }
  if (bitmap_mode) params.mode = integrity::Mode::bitmap;
  if (no_journal) params.mode = integrity::Mode::direct;
  if (recovery_mode) params.mode = integrity::Mode::recovery;
  if (in_line) params.mode = integrity::Mode::in_line;
  params.internal_hash = TRY(integrity.load("--integrity"));
  params.journal_mac = TRY(journal_integrity.load("--journal-integrity"));
  params.journal_crypt = TRY(journal_crypt.load("--journal-crypt"));
  return params;
}

Result<integrity::Params> IntegrityOptions::format_params() const {
  return given_params();
}

Result<integrity::Params> IntegrityOptions::params(const integrity::Devices& devices) const {
  integrity::Params params = TRY(given_params());
  // In recovery a superblock need not be there.
  const auto superblock = integrity::read_superblock(params, devices);
  if (superblock) {
    params.tag_size = superblock->tag_size;
    params.block_size = superblock->block_size();
    if (debug) say_layout(*superblock, params, devices);
  } else if (params.mode != integrity::Mode::recovery) {
    return Error(superblock.error()).with_context(device);
  }
  return params;
}

/// In the form of cryptsetup's debug messages.
void IntegrityOptions::say_layout(const integrity::Superblock& superblock,
                                  const integrity::Params& params,
                                  const integrity::Devices& devices) const {
  fmt::print(stderr, "# {}: superblock of version {} at sector {}, flags {:#x}\n", device,
             superblock.version, start, superblock.flags);
  const auto layout = integrity::Layout::create(superblock, params, devices.sizes());
  if (!layout) {
    fmt::print(stderr, "# {}: no layout: {}\n", device, layout.error().message());
    return;
  }
  fmt::print(stderr,
             "# {}: tags of {} bytes for blocks of {}; journal of {} sections of {} sectors\n",
             device, layout->tag_size(), layout->block_size(), layout->journal_sections(),
             layout->section().sectors);
  fmt::print(stderr, "# {}: {} sectors provided; the first tag at byte {}, the first data at {}\n",
             device, layout->provided_data_sectors(), layout->tag_byte(0),
             layout->data_sector(0) * integrity::kSectorSize);
}

Result<IntegrityOptions::Files> IntegrityOptions::open_files(block::Access access) const {
  if (data_device.empty()) return Files{.data = TRY(DeviceFiles(access).open(device)), .meta = {}};
  if (same_file(device, data_device))
    return wrong("--data-device is FILE itself: leave it out, data and tags lie together then");
  DeviceFiles files(access);
  stack::File meta = TRY(files.open(device));
  return Files{.data = TRY(files.open(data_device)), .meta = std::move(meta)};
}

}  // namespace intact::cli
