#include "image_sizes.h"

#include <string>
#include <unordered_map>

#include <intact/base/file.h>

#include "stored_objects.h"

namespace intact::cli {

Result<std::map<Digest, ImageSize>> image_sizes(const store::Store& store,
                                                const std::vector<store::NamedImage>& images) {
  struct Object {
    std::uint64_t size;
    std::vector<Digest> images;
  };
  std::unordered_map<std::string, Object> objects;
  std::map<Digest, ImageSize> sizes;
  for (const store::NamedImage& image : images) {
    if (sizes.contains(image.image)) continue;
    const auto file = store.open_image(image.image);
    auto listed = list_stored_objects(store, image.image);
    if (!file || !listed) {
      const Error& error = file ? listed.error() : file.error();
      if (error.concerns_caller()) return Error(error.kind(), error.message(), error.sys_errno());
      continue;
    }
    sizes[image.image].own = TRY(file_size(file->get()));
    for (composefs::ObjectReference& object : *listed) {
      Object& known = objects[std::move(object.payload)];
      known.size = object.size;
      known.images.push_back(image.image);
    }
  }
  for (const auto& [payload, object] : objects)
    for (const Digest& image : object.images)
      (object.images.size() == 1 ? sizes[image].own : sizes[image].shared) += object.size;
  return sizes;
}

}  // namespace intact::cli
