#include "integrity_options.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include <intact/base/grown_files.h>
#include <intact/base/inherited.h>
#include <intact/block/device_files.h>
#include <intact/console/input_file.h>
#include <intact/console/size_option.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/manage.h>

#include "command.h"

namespace intact::cli {
namespace {

constexpr std::uint32_t kMaxKeySize = 4096;  // bytes, as integritysetup's

void add_key_options(CLI::App* command, KeyedAlgorithm& algorithm, const std::string& prefix) {
  CLI::Option* const file = command->add_option(prefix + "-key-file", algorithm.key_file,
                                                "Read the key of this algorithm from FILE");
  file->type_name("FILE");
  command
      ->add_option(prefix + "-key-fd", algorithm.key_fd,
                   "Read the key from this open file descriptor")
      ->type_name("N")
      ->excludes(file);
  add_size_option(command, prefix + "-key-size", algorithm.key_size,
                  "Size of the key (default: everything that can be read)");
}

Result<crypto::Secret> read_key(const KeyedAlgorithm& algorithm) {
  if (algorithm.key_fd) {
    TRY(check_inherited(*algorithm.key_fd));
    return crypto::Secret::read_from(*algorithm.key_fd, kMaxKeySize);
  }
  const UniqueFd fd = TRY(open_input(algorithm.key_file));
  return crypto::Secret::read_from(fd.get(), kMaxKeySize).context(input_name(algorithm.key_file));
}

}  // namespace

CLI::Validator whole_sectors() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const auto bytes = parse_size(text);
        if (!bytes) return bytes.error().message();
        const bool has_unit = text.find_first_not_of("0123456789") != std::string::npos;
        text = std::to_string(has_unit ? *bytes / integrity::kSectorSize * integrity::kSectorSize
                                       : *bytes);
        return {};
      },
      "");
}

Result<std::optional<integrity::Algorithm>> KeyedAlgorithm::load(const char* option) const {
  const bool keyed = !key_file.empty() || key_fd;
  const std::string key_option = fmt::format("{}-key-{}", option, key_fd ? "fd" : "file");
  if (key_size && !keyed)
    return wrong(
        fmt::format("{0}-key-size: key size given without a key; pass {0}-key-file", option));
  if (name.empty() || name == "none") {
    if (keyed)
      return wrong(fmt::format("{}: key given without an algorithm; pass {}", key_option, option));
    return std::optional<integrity::Algorithm>();
  }
  integrity::Algorithm algorithm{.name = integrity::kernel_name(name)};
  if (!keyed) return std::optional(std::move(algorithm));
  crypto::Secret key = TRY(read_key(*this).context(key_option));
  if (key_size && *key_size > kMaxKeySize)
    return wrong(fmt::format("{}-key-size: a key has at most {} bytes", option, kMaxKeySize));
  if (key_size && *key_size > key.size())
    return Error(ErrorKind::bad_secret,
                 fmt::format("{}: the key has {} bytes, not {}", option, key.size(), *key_size));
  if (key_size) key = crypto::Secret::copy_of(key.expose().first(*key_size));
  algorithm.key = std::make_shared<const crypto::Secret>(std::move(key));
  return std::optional(std::move(algorithm));
}

Result<void> IntegrityOptions::check_descriptors() const {
  const std::pair<const char*, std::optional<int>> keys[] = {
      {"--integrity-key-fd", integrity.key_fd},
      {"--journal-integrity-key-fd", journal_integrity.key_fd},
      {"--journal-crypt-key-fd", journal_crypt.key_fd}};
  for (const auto* key = std::begin(keys); key != std::end(keys); ++key)
    for (const auto* other = std::begin(keys); other != key; ++other)
      if (key->second && key->second == other->second)
        return wrong(
            fmt::format("{}: {} is already read by {}; pass each key on a descriptor of its own",
                        key->first, *key->second, other->first));
  return {};
}

void IntegrityOptions::add_device(CLI::App* command, bool required) {
  command->add_option("FILE", device, "Device or file with the superblock, journal and tags")
      ->type_name("FILE")
      ->required(required);
  add_place(command);
}

void IntegrityOptions::add_talk(CLI::App* command) {
  command->add_flag("-q,--batch-mode", progress.quiet, "Do not ask questions or show progress");
  command->add_flag("--debug", debug, "Print the layout of the device on stderr");
}

void IntegrityOptions::add_progress(CLI::App* command) {
  command->add_flag("--progress-json", progress.json,
                    "Print progress as JSON lines on stdout, twice a second");
  command
      ->add_option("--progress-frequency", progress.frequency,
                   "Print a line of progress this often")
      ->type_name("SECONDS");
}

void IntegrityOptions::add_place(CLI::App* command) {
  command
      ->add_option("--data-device", data_device,
                   "Device or file with the data, if they are separate from the tags")
      ->type_name("FILE");
  add_size_option(command, "--start", start,
                  "Reserved sectors before the superblock (the offset in the kernel's table)",
                  SizeUnit::sector);
}

void IntegrityOptions::add_key(CLI::App* command) {
  add_key_options(command, integrity, "--integrity");
}

void IntegrityOptions::add_algorithms(CLI::App* command) {
  command
      ->add_option("-I,--integrity", integrity.name,
                   "Algorithm of the tags: crc32c, crc32, xxhash64, sha256, hmac-sha256, ...")
      ->type_name("ALGORITHM");
  add_key(command);
  command
      ->add_option("--journal-integrity", journal_integrity.name,
                   "Algorithm that authenticates the journal: hmac-sha256, ...")
      ->type_name("ALGORITHM");
  add_key_options(command, journal_integrity, "--journal-integrity");
  command
      ->add_option("--journal-crypt", journal_crypt.name,
                   "Cipher of the journal: ctr-aes, cbc-aes, ...")
      ->type_name("ALGORITHM");
  add_key_options(command, journal_crypt, "--journal-crypt");
  add_size_option(command, "-t,--tag-size", tag_size,
                  "Size of a tag (default: that of the digest, or without a key what the "
                  "superblock says); a longer digest is truncated");
  add_size_option(command, "-s,--sector-size", sector_size,
                  "Size of a block with one tag, 512 to 4096 (default: 512 for format, otherwise "
                  "what the superblock says)");
  command->add_flag("--integrity-legacy-hmac", legacy_hmac,
                    "Superblock without salt and not covered by --journal-integrity, as made by "
                    "kernels before 5.11; when opening: accept such a superblock, which anyone "
                    "who can write to the device can change");
}

void IntegrityOptions::add_format(CLI::App* command) {
  command
      ->add_option("-j,--journal-size", journal_size,
                   "Size of the journal (default: 1/128 of the device, at most 64 MiB)")
      ->transform(whole_sectors())
      ->type_name("BYTES");
  add_size_option(command, "--interleave-sectors", interleave_sectors,
                  "Sectors of data between two runs of tags, a power of two", SizeUnit::sector);
  command->add_flag("--integrity-legacy-padding", legacy_padding,
                    "Pad runs of tags as kernels before 5.0 did");
}

void IntegrityOptions::add_tuning(CLI::App* command) {
  add_size_option(command, "--buffer-sectors", buffer_sectors, "Sectors in a buffer of tags",
                  SizeUnit::sector);
  command
      ->add_option("--journal-watermark", journal_watermark,
                   "Write the journal back when it is this full")
      ->type_name("PERCENT");
  command
      ->add_option("--journal-commit-time", journal_commit_time,
                   "Commit the journal at least this often")
      ->type_name("MS");
  add_size_option(command, "--bitmap-sectors-per-bit", bitmap_sectors_per_bit,
                  "Sectors per bit of the bitmap, a power of two", SizeUnit::sector);
  command
      ->add_option("--bitmap-flush-time", bitmap_flush_time,
                   "Clear the marks of finished regions at least this often")
      ->type_name("MS");
}

void IntegrityOptions::add_mode(CLI::App* command) {
  CLI::Option* const direct =
      command->add_flag("-D,--integrity-no-journal", no_journal,
                        "Use no journal: after a crash blocks may fail their tags");
  command
      ->add_flag("-B,--integrity-bitmap-mode", bitmap_mode,
                 "Use a bitmap instead of the journal: after a crash, regions being written get "
                 "new tags (with a key only if --integrity-legacy-recalculate is given)")
      ->excludes(direct);
  command->add_flag("--integrity-inline", in_line,
                    "Tags in the device's own per-block metadata: not supported");
}

void IntegrityOptions::add_legacy_recalculate(CLI::App* command) {
  command->add_flag(
      "--integrity-legacy-recalculate", legacy_recalculate,
      "Calculate tags with a key even where an attacker could have asked for it, and give "
      "regions that a crash left marked in the bitmap new tags: trusts the data "
      "there and everyone who could write to the device");
}

void IntegrityOptions::add_opening(CLI::App* command) {
  command
      ->add_flag("-R,--integrity-recovery-mode", recovery_mode,
                 "Read-only; do not check tags, and ignore the journal")
      ->excludes("--integrity-bitmap-mode")
      ->excludes("--integrity-no-journal");
  CLI::Option* const reset = command->add_flag("--integrity-recalculate-reset", recalculate_reset,
                                               "Calculate all tags again, from the beginning");
  command
      ->add_flag("--integrity-recalculate", recalculate,
                 "Calculate in the background the tags that are not valid yet")
      ->excludes(reset);
  add_legacy_recalculate(command);
  command->add_flag("--allow-discards", allow_discards,
                    "Allow discards; discarded blocks return undefined data, or zeros with a key");
}

Result<integrity::Params> IntegrityOptions::given_params() const {
  TRY(check_descriptors());
  integrity::Params params = TRY(StatedParams::params());
  params.internal_hash = TRY(integrity.load("--integrity"));
  params.journal_mac = TRY(journal_integrity.load("--journal-integrity"));
  params.journal_crypt = TRY(journal_crypt.load("--journal-crypt"));
  TRY(integrity::check_keys_given(params));
  return params;
}

Result<integrity::Params> IntegrityOptions::params(const integrity::Devices& devices) const {
  auto [params, superblock] =
      TRY(integrity::params_for_opening(TRY(given_params()), sector_size, devices).context(device));
  if (!superblock) return params;
  for (const std::string& clause : integrity::unchecked_trust(*superblock, params))
    warn(device + ": " + clause);
  // In the form of cryptsetup's debug messages.
  if (debug)
    for (const std::string& line : integrity::describe_layout(*superblock, params, devices.sizes()))
      fmt::print(stderr, "# {}: {}\n", device, line);
  return params;
}

Result<IntegrityOptions::Files> IntegrityOptions::open_files(block::Access access) const {
  if (data_device.empty())
    return Files{.data = TRY(block::DeviceFiles(access).open(device)), .meta = {}};
  if (same_file(device, data_device))
    return wrong(
        "--data-device: same file as FILE; leave it out if data and tags are on one device");
  block::DeviceFiles files(access);
  dm::File meta = TRY(files.open(device));
  dm::File data = TRY(files.open(data_device));
  if (access == block::Access::read_write)
    TRY(block::check_apart({{device, meta}, {data_device, data}}));
  return Files{.data = std::move(data), .meta = std::move(meta)};
}

}  // namespace intact::cli
