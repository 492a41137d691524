#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <intact/json/json.h>
#include <intact/kernel/device_mapper.h>
#include <intact/verity/dm_target.h>
#include <intact/verity/volume.h>

namespace intact::report {

// What is said of dm-verity volumes: to_text() for people, with the field names of veritysetup, and
// to_json() for programs.

/// A volume as `format` and `dump` show it.
struct VerityHeader {
  verity::Layout layout;
  verity::Geometry geometry;
  std::string hash_device;         ///< as the user calls it
  std::string uuid = {};           ///< of the superblock; empty without one
  std::uint64_t hash_size = 0;     ///< bytes of the hash device that are in use
  std::optional<Bytes> root = {};  ///< of a new volume
  struct Fec {
    verity::FecGeometry geometry;
    std::uint64_t size;  ///< bytes of its device
  };
  std::optional<Fec> fec = {};  ///< of a new volume
};
std::string to_text(const VerityHeader& header);
Json to_json(const VerityHeader& header);

/// A device of the kernel with the target verity, in its only line.
std::string to_text(const kernel::MappingState& state, const verity::KernelTable& table);
Json to_json(const kernel::MappingState& state, const verity::KernelTable& table);

}  // namespace intact::report
