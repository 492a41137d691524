#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/json/json.h>

namespace intact::stack {

/// What a file claims to contain. Not verified.
struct Content {
  std::string format;        ///< in JSON: "verity", "luks2", "erofs"
  std::string title;         ///< for people: "dm-verity"
  std::uint64_t offset = 0;  ///< byte at which its header or superblock begins
  Json facts;                ///< an object: the fields of its header, by the format's own names
};

/// Identifies the layers of a file by its content, the outermost first: a volume, then the file
/// system in it. Empty if no format is known. A dm-verity superblock is searched at byte
/// `hash_offset`, or by default at the beginning, after the file system at the beginning of the
/// file, and where it would be if the tree ended with the file. Reads a few blocks. Only read
/// errors are returned.
Result<std::vector<Content>> recognise(const ByteSource& file,
                                       std::optional<std::uint64_t> hash_offset = {});

}  // namespace intact::stack
