#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/block/file_target.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/params.h>
#include <intact/integrity/superblock.h>
#include <intact/stack/volume.h>

#include "step_progress.h"

namespace intact::cli {

/// An algorithm and where its key is to be read, as integritysetup's options say it.
struct KeyedAlgorithm {
  std::string name;  ///< "hmac-sha256", or as the kernel has it: "hmac(sha256)"
  std::string key_file;
  std::optional<int> key_fd;
  std::optional<std::uint32_t> key_size;  ///< bytes; none: all there is

  bool given() const { return !name.empty() || !key_file.empty() || key_fd.has_value(); }
  /// Its key is read here: once only, where it comes by descriptor. invalid_argument; bad_secret:
  /// the key is shorter than was said.
  Result<std::optional<integrity::Algorithm>> load(const char* option) const;
};

/// "hmac-sha256" to "hmac(sha256)", "ctr-aes" to "ctr(aes)"; "blake2b-256" is a name as it is.
std::string kernel_algorithm(const std::string& name);

/// The options of integritysetup that say what a device is and where its parts lie.
struct IntegrityOptions {
  std::string device;       ///< with superblock, journal and tags
  std::string data_device;  ///< none: the data lie there as well
  std::uint64_t start = 0;  ///< sectors in front of the superblock

  KeyedAlgorithm integrity{.name = "crc32c"};
  KeyedAlgorithm journal_integrity;
  KeyedAlgorithm journal_crypt;

  std::optional<std::uint32_t> tag_size;
  std::uint32_t sector_size = 512;
  std::optional<std::uint64_t> journal_size;  ///< bytes
  std::uint32_t interleave_sectors = 32768;
  bool legacy_padding = false;
  bool legacy_hmac = false;

  std::uint32_t buffer_sectors = 128;
  std::uint32_t journal_watermark = 50;
  std::uint32_t journal_commit_time = 10000;
  std::uint64_t bitmap_sectors_per_bit = 32768;
  std::uint32_t bitmap_flush_time = 10000;
  bool no_journal = false;
  bool bitmap_mode = false;
  bool recovery_mode = false;
  bool in_line = false;
  bool recalculate = false;
  bool recalculate_reset = false;
  bool legacy_recalculate = false;
  bool allow_discards = false;

  ProgressOptions progress;  ///< its `quiet` is --batch-mode
  bool debug = false;

  void add_device(CLI::App* command, bool required = true);
  void add_talk(CLI::App* command);        ///< how much is said
  void add_progress(CLI::App* command);    ///< how progress is shown
  void add_place(CLI::App* command);       ///< where its parts lie
  void add_key(CLI::App* command);         ///< of the internal hash
  void add_algorithms(CLI::App* command);  ///< with their keys
  void add_format(CLI::App* command);      ///< what goes into the superblock
  void add_tuning(CLI::App* command);      ///< buffers, journal, bitmap
  void add_mode(CLI::App* command);        ///< journal, bitmap or neither
  void add_legacy_recalculate(CLI::App* command);
  void add_opening(CLI::App* command);  ///< recovery, recalculation, discards

  /// Whether a hash, MAC or cipher, or the key of one, is given; of the hash, if it has no default.
  bool names_algorithm() const {
    return integrity.given() || journal_integrity.given() || journal_crypt.given();
  }
  /// The params to format with; keys are read.
  Result<integrity::Params> format_params() const;
  /// The params to open these files with: tag and block size are those of the superblock.
  Result<integrity::Params> params(const integrity::Devices& devices) const;

  struct Files {
    stack::File data;
    stack::File meta;  ///< null unless the data lie apart
    integrity::Devices devices() const { return {.data = data, .meta = meta}; }
  };
  Result<Files> open_files(block::Access access) const;

 private:
  Result<integrity::Params> given_params() const;
  void say_layout(const integrity::Superblock& superblock, const integrity::Params& params,
                  const integrity::Devices& devices) const;
};

}  // namespace intact::cli
