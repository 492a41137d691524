#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/verity/params.h>
#include <intact/verity/volume.h>

namespace intact::verity {

/// Devices as the kernel takes them: paths or "MAJOR:MINOR".
struct DeviceNames {
  std::string data;
  std::string hash;
  std::string fec = {};  ///< if the layout has FEC
};

/// The parameters of a line for the kernel's target "verity"
/// (Documentation/admin-guide/device-mapper/verity.rst).
struct KernelTable {
  Params params;
  DeviceNames devices;
  std::uint64_t hash_start = 0;  ///< first hash block, in hash blocks
  Bytes root;
  std::vector<std::string> flags = {};  ///< options without a value: "ignore_corruption"
  struct Fec {
    std::uint64_t start;   ///< of the parity, in blocks
    std::uint64_t blocks;  ///< covered
    unsigned roots;
  };
  std::optional<Fec> fec = {};
  std::string signature_key = {};  ///< description of the key with the signature of the root hash

  /// The layout must fit on the devices: check_layout(). invalid_argument: the kernel cannot
  /// express it.
  static Result<KernelTable> create(const Layout& layout, const Devices& devices,
                                    const DeviceNames& names, ByteSpan root);
  /// Parses what the kernel prints. malformed.
  static Result<KernelTable> parse(std::string_view text);
  /// With options in the order of veritysetup.
  std::string text() const;
};

}  // namespace intact::verity
