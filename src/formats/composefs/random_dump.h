#pragma once

#include <cstdint>
#include <string>

namespace intact::composefs::test {

/// What a random dump may hold beyond what survives being read back unchanged.
struct RandomDumpOptions {
  /// Whiteouts' own attributes, hard links before their targets, device nodes with a size, payloads
  /// of any length.
  bool lossy = false;
  /// Values that no kernel takes: malformed ACLs, attributes without a known prefix.
  bool foreign_xattrs = true;
};

/// A dump of a small but nasty tree: names of all bytes and lengths, sizes next to every boundary
/// of the format, shared and unshared attributes, large directories, hard links, whiteouts,
/// devices, times before 1970. The same seed gives the same dump everywhere.
std::string random_dump(std::uint64_t seed, const RandomDumpOptions& options = {});

}  // namespace intact::composefs::test
