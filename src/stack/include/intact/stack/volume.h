#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include <intact/stack/integrity_layer.h>
#include <intact/stack/layer.h>
#include <intact/stack/verity_layer.h>

namespace intact::stack {

using AnyLayer = std::variant<VerityLayer, IntegrityLayer>;

/// How many layers a volume may have: each may keep a cache and a thread, and a file may hold a
/// volume in a volume as often as it likes.
inline constexpr std::size_t kMaxLayers = 6;

/// All that is needed to open a volume, in this process or, with its files, in another one.
struct Volume {
  std::string name;                   ///< what the log calls it
  File file;                          ///< what the first layer stands on
  std::vector<AnyLayer> layers = {};  ///< from the file up; none: the file as it is
};

/// VerityLayer::kName and the like.
const char* name_of(const AnyLayer& layer);

/// Whether a layer keeps the whole from being written. Its files need not be open for writing then.
bool is_read_only(const Volume& volume);

}  // namespace intact::stack
