#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <intact/base/digest.h>

namespace intact::image {

/// One place where an image is not what was signed.
struct Damage {
  std::string
      path;  ///< in the image ("/usr/bin/python3.11"); empty for the image's own metadata and blobs
  std::string
      object;  ///< path below the store ("objects/ab/cdef...", "images/...", "blobs/sha256/...")
  std::uint64_t block = 0;   ///< index of the damaged 4096-byte block, 0 where the whole is meant
  std::uint64_t offset = 0;  ///< of that block in the object, in bytes
  std::string reason;
};

/// The `object` of a blob.
inline std::string object_of_blob(const Digest& blob) {
  return "blobs/" + std::string(to_string(blob.algorithm())) + "/" + blob.hex();
}

/// Called for each piece of damage met, from any thread, maybe several times for one block.
using DamageSink = std::function<void(const Damage&)>;

}  // namespace intact::image
