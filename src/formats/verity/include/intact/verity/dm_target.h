#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/dm/line.h>
#include <intact/dm/target.h>
#include <intact/verity/params.h>
#include <intact/verity/volume.h>

namespace intact::verity {

/// The target "verity": the kernel's arguments, and one option that it lacks, for parity that does
/// not begin at a whole block: `fec_start_sector N`. Its option try_verify_in_tasklet changes
/// nothing here, and root_hash_sig_key_desc is unsupported: the keys that the kernel trusts for it
/// are only the kernel's.
extern const dm::Target kDmTarget;

/// A volume and how to read it, with words for its devices.
struct LineSpec {
  Layout layout;
  Bytes root;  ///< the trusted root hash
  std::string data;
  std::string hash;
  std::string fec = {};                 ///< if the layout has FEC
  std::vector<std::string> flags = {};  ///< the kernel's options without a value
  std::string signature_key = {};       ///< see KernelTable
};
/// The line for it. The layout must fit on the devices: check_layout(). Errors of fec_geometry().
Result<dm::Line> make_line(const LineSpec& spec, const Devices& devices);
/// A table of that line, with the beginning of the UUID by which veritysetup finds its devices: the
/// name of the device follows. `uuid`: of the superblock, if there is one.
Result<dm::Table> make_table(const LineSpec& spec, const Devices& devices,
                             const std::optional<Uuid>& uuid);

// --- what the kernel prints ---------------------------------------------------------------------

/// Devices by the words of a line: "fd:10", for the kernel paths or "MAJOR:MINOR".
struct DeviceNames {
  std::string data;
  std::string hash;
  std::string fec = {};  ///< if the layout has FEC
};

/// The arguments of error correction.
struct FecArguments {
  std::uint64_t start = 0;  ///< of the parity, in blocks
  /// Of the parity, in sectors, if it does not begin at a whole block. The kernel lacks this.
  std::optional<std::uint64_t> start_sector = {};
  std::uint64_t blocks = 0;  ///< covered
  unsigned roots = kMinRoots;
};

/// The arguments of a line for the target "verity"
/// (Documentation/admin-guide/device-mapper/verity.rst).
struct KernelTable {
  Params params;
  DeviceNames devices;
  std::uint64_t hash_start = 0;  ///< first hash block, in hash blocks
  Bytes root;
  std::vector<std::string> flags = {};  ///< options without a value: "ignore_corruption"
  std::optional<FecArguments> fec = {};
  std::string signature_key = {};  ///< description of the key with the signature of the root hash

  /// Parses the arguments of a line, also as the kernel prints them. invalid_argument.
  static Result<KernelTable> parse(const dm::Line& line);
  /// The line, with options in the order of veritysetup.
  dm::Line line() const;
};

}  // namespace intact::verity
