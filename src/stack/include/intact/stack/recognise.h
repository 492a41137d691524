#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/json/json.h>

namespace intact::stack {

/// What a file claims to hold. Nothing of it is verified.
struct Content {
  std::string format;        ///< for machines: "verity", "luks2", "erofs"
  std::string title;         ///< for people: "dm-verity"
  std::uint64_t offset = 0;  ///< byte at which its header or superblock lies
  Json facts;                ///< an object: what its header says, in the format's own words
};

/// The layers of a file by its content, the outermost first: a volume, then the file system in it.
/// Empty when nothing is known. A superblock of dm-verity is looked for at byte `hash_offset`; else
/// at the beginning, behind the file system that begins the file, and where the tree that ends with
/// the file would have it. Reads a few blocks. Errors are those of reading alone.
Result<std::vector<Content>> recognise(const ByteSource& file,
                                       std::optional<std::uint64_t> hash_offset = {});

}  // namespace intact::stack
