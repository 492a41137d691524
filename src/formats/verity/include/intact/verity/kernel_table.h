#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/dm/line.h>
#include <intact/verity/params.h>
#include <intact/verity/volume.h>

namespace intact::verity {

/// Devices by the words of a line: "fd:10", for the kernel paths or "MAJOR:MINOR".
struct DeviceNames {
  std::string data;
  std::string hash;
  std::string fec = {};  ///< if the layout has FEC
};

/// The arguments of error correction.
struct FecArguments {
  std::uint64_t start = 0;   ///< of the parity, in blocks
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
