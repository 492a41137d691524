#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::cli {

/// What an image takes in the store, in bytes of its EROFS file and its objects.
struct ImageSize {
  std::uint64_t own = 0;     ///< what would go with it
  std::uint64_t shared = 0;  ///< what other images need as well
};

/// Reads every image in `images`, each once however many names it has. An image that is damaged is
/// left out: what it shares is not known.
Result<std::map<Digest, ImageSize>> image_sizes(const store::Store& store,
                                                const std::vector<store::NamedImage>& images);

}  // namespace intact::cli
