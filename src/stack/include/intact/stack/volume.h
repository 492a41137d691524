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

/// How many layers a volume may have. Each may have a cache and a thread, and a hostile file may
/// nest volumes as often as it likes.
inline constexpr std::size_t kMaxLayers = 6;

/// Everything that is needed to open a volume, in this process or, with its files, in another.
struct Volume {
  std::string name;                   ///< its name in the log
  File file;                          ///< below the first layer
  std::vector<AnyLayer> layers = {};  ///< from the file up; none: the file as it is
};

/// VerityLayer::kName and the like.
const char* name_of(const AnyLayer& layer);

/// Whether a layer makes the volume read-only. Then its files need not be open for writing.
bool is_read_only(const Volume& volume);

}  // namespace intact::stack
