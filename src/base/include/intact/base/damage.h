#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace intact {

/// A run of the blocks or sectors that an object is counted in.
struct DamagedRange {
  std::uint64_t first = 0;   ///< index of the first of them
  std::uint64_t count = 1;   ///< how many
  std::uint64_t offset = 0;  ///< first byte, in the object
  std::uint64_t bytes = 0;   ///< length; 0 if it is unknown

  bool operator==(const DamagedRange&) const = default;
  auto operator<=>(const DamagedRange&) const = default;
};

/// One place that is not what it was when it was signed or tagged. A room fills in what it
/// knows: one further up adds which object it is and what shows it.
struct Damage {
  /// What is damaged: a path below the store ("objects/ab/cdef...", "blobs/sha256/..."), or a part
  /// of a volume ("data", "hash").
  std::string object = {};
  std::optional<DamagedRange> range = {};  ///< none: the object as a whole
  std::string path = {};     ///< in the image that has the object; empty if it has none there
  std::string reason = {};   ///< continues the sentence "block N ..."
  bool correctable = false;  ///< error correction can restore the content

  bool operator==(const Damage&) const = default;
};

/// Called for damage as it is met, by the thread that met it, so perhaps by several at once and
/// several times for one block. Must not call back into the object.
using DamageSink = std::function<void(const Damage&)>;

/// Damage of a file, for people, without an end of line: "PATH: block 5 (byte 20480) of OBJECT:
/// REASON". Without a path the object takes its place. `nameless` is what to call damage without a
/// path if not by its object, such as "(image metadata)". Everything in it is visible().
std::string damage_line(const Damage& damage, std::string_view nameless = {});

/// A range on a device, for people: "data block 5 (bytes 20480 to 24575)" or "sectors 5 to 6 (bytes
/// 2560 to 3583)". `unit` is the singular: "data block".
std::string range_text(const DamagedRange& range, std::string_view unit);

}  // namespace intact
