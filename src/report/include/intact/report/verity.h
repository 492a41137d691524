#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <intact/erofs/damaged_files.h>
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

/// What a check of a whole volume found.
struct VerityCheck {
  std::string data;  ///< as the user calls the device
  std::string hash;  ///< as the user calls the device
  verity::Geometry geometry;
  bool has_fec = false;
  std::vector<Damage> damaged = {};
  erofs::DamagedFiles files = {};  ///< for each of `damaged`
};
std::string to_text(const VerityCheck& check);
Json to_json(const VerityCheck& check);

/// What a repair did.
struct VerityRepair {
  std::string data;  ///< as the user calls the device
  std::string hash;  ///< as the user calls the device
  verity::RepairReport done = {};
  erofs::DamagedFiles files = {};  ///< for each damage that is lost
};
std::string to_text(const VerityRepair& repair);
Json to_json(const VerityRepair& repair);

}  // namespace intact::report
