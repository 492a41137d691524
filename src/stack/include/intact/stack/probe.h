#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/dm/prober.h>
#include <intact/json/json.h>

namespace intact::stack {

/// What the user says about the volumes of a file: at most one for each format.
using Credentials = std::vector<std::shared_ptr<const dm::Credentials>>;

/// What a device claims to contain. Not verified.
struct Content {
  std::string format;        ///< in JSON: "verity", "luks2", "erofs"
  std::string title;         ///< for people: "dm-verity"
  std::uint64_t offset = 0;  ///< byte at which its header or superblock begins
  Json facts;                ///< an object: the fields of its header, by the format's own names
};

/// Lists what a device contains, the outermost layer first: volumes, as far as they can be looked
/// into without keys, then a file system or an archive. Empty if no format is known; kMaxTables + 1
/// at most. Nothing is verified. Only the credentials that say where a header is count. Returns
/// errors of reading the device itself; where a volume cannot be read, the list ends.
Result<std::vector<Content>> probe(std::shared_ptr<block::Device> device,
                                   const Credentials& credentials = {});

}  // namespace intact::stack
