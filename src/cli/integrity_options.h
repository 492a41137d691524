#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <intact/base/result.h>
#include <intact/block/file_device.h>
#include <intact/console/progress.h>
#include <intact/dm/names.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/manage.h>
#include <intact/integrity/params.h>

#include "command.h"

namespace intact::cli {

/// An algorithm and the source of its key, as in integritysetup's options.
struct KeyedAlgorithm {
  std::string name;  ///< "hmac-sha256", or as the kernel has it: "hmac(sha256)"
  std::string key_file;
  std::optional<int> key_fd;
  std::optional<std::uint32_t> key_size;  ///< bytes; none: everything that can be read

  bool keyed() const { return !key_file.empty() || key_fd.has_value(); }
  bool given() const { return !name.empty() || !key_file.empty() || key_fd.has_value(); }
  /// Reads the key, which is possible only once if it comes by descriptor. Errors:
  /// invalid_argument; bad_secret if the key is shorter than `key_size`.
  Result<std::optional<integrity::Algorithm>> load(const char* option) const;
};

/// For options in bytes that have to be whole sectors: rewrites a value to a plain number. With a
/// unit it is rounded down, as by integritysetup: 1MB becomes 999936.
CLI::Validator whole_sectors();

/// The options of integritysetup that describe a device and where its parts are.
struct IntegrityOptions : integrity::StatedParams {
  std::string device;       ///< with superblock, journal and tags
  std::string data_device;  ///< none: the data are there as well

  KeyedAlgorithm integrity{.name = "crc32c"};
  KeyedAlgorithm journal_integrity;
  KeyedAlgorithm journal_crypt;

  ProgressOptions progress;  ///< its `quiet` is --batch-mode
  bool debug = false;

  void add_device(CLI::App* command, bool required = true);
  void add_talk(CLI::App* command);      ///< verbosity
  void add_progress(CLI::App* command);  ///< progress output
  void add_place(CLI::App* command);     ///< where its parts are
  void add_key(CLI::App* command);       ///< of the internal hash
  /// Algorithms with their keys, and what the superblock must agree with.
  void add_algorithms(CLI::App* command);
  void add_format(CLI::App* command);  ///< what only formatting decides
  void add_tuning(CLI::App* command);  ///< buffers, journal, bitmap
  void add_mode(CLI::App* command);    ///< journal, bitmap or neither
  void add_legacy_recalculate(CLI::App* command);
  void add_opening(CLI::App* command);  ///< recovery, recalculation, discards

  /// invalid_argument: two keys would be read from one descriptor, where the first takes all.
  Result<void> check_descriptors() const;
  /// The params that are given, without a block size unless --sector-size is; reads the keys.
  Result<integrity::Params> given_params() const;
  /// integrity::params_for_opening() with these options. Reads the keys; warns about what the
  /// options trust.
  Result<integrity::Params> params(const integrity::Devices& devices) const;

  struct Files {
    dm::File data;
    dm::File meta;  ///< null unless the data are on a device of their own
    integrity::Devices devices() const { return {.data = data, .meta = meta}; }
  };
  Result<Files> open_files(block::Access access) const;
};

}  // namespace intact::cli
