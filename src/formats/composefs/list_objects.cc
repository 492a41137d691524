#include <map>

#include <fmt/format.h>

#include <intact/composefs/read.h>

#include "image_walk.h"
#include "overlay_view.h"

namespace intact::composefs {

Result<std::vector<ObjectReference>> list_objects(std::shared_ptr<const ByteSource> source) {
  const auto image = TRY(open_image(std::move(source)));
  std::vector<ObjectReference> objects;
  std::map<std::string, std::size_t> by_payload;  // sorted: names cannot be chosen to collide
  TRY(walk_image(*image, {}, [&](const WalkItem& item) -> Result<bool> {
    const erofs::Inode& inode = item.inode;
    if (item.seen_before || !inode.attributes.is_regular() ||
        inode.layout != erofs::Layout::chunked || inode.attributes.size == 0)
      return true;
    const OverlayView view = overlay_view(TRY(image->xattrs(inode)));
    const std::string payload = TRY(view.payload().context(item.path));
    const std::optional<Digest> digest = TRY(view.digest().context(item.path));
    if (payload.empty() || !digest)
      return Error(ErrorKind::malformed,
                   fmt::format("composefs image: {} has content outside the image but no {}",
                               item.path, payload.empty() ? "object" : "digest"));
    const auto [it, added] = by_payload.try_emplace(payload, objects.size());
    if (added) {
      objects.push_back({*digest, payload, inode.attributes.size, item.path});
    } else if (const ObjectReference& known = objects[it->second];
               known.digest != *digest || known.size != inode.attributes.size) {
      return Error(ErrorKind::malformed,
                   fmt::format("composefs image: {} and {} want different content of object {}",
                               known.path, item.path, payload));
    }
    return true;
  }));
  return objects;
}

}  // namespace intact::composefs
