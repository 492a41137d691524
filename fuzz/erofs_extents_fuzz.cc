// Any image is refused, or the map of each file in it is, or it leads to bytes within the image.
#include <memory>
#include <vector>

#include <intact/erofs/extent_map.h>
#include <intact/erofs/image.h>

#include "fuzz.h"

using namespace intact;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = fuzz::input(data, size);
  const auto source = std::make_shared<MemorySource>(Bytes(bytes.begin(), bytes.end()));
  const auto image = erofs::Image::open(source, erofs::Accept::mappable);
  if (!image) return 0;
  const std::uint64_t image_size = (*image)->superblock().size;
  constexpr std::size_t kMaxInodes = 200;
  std::vector<std::uint64_t> todo{(*image)->root(), (*image)->superblock().packed_nid};
  for (std::size_t i = 0; i < todo.size(); ++i) {
    const auto inode = (*image)->inode(todo[i]);
    if (!inode) continue;
    if (inode->is_directory())
      (void)(*image)->list(*inode, 0, [&](const erofs::Dirent& entry, std::uint64_t) {
        if (todo.size() < kMaxInodes) todo.push_back(entry.nid);
        return Result<bool>(true);
      });
    const auto map = erofs::ExtentMap::open(**image, *inode);
    if (!map) continue;
    fuzz::require(map->metadata_end() <= image_size);
    fuzz::require(map->entries() <= image_size);
    std::uint64_t end = 0;
    (void)map->list([&](const erofs::Extent& extent) -> Result<void> {
      fuzz::require(extent.length > 0 && extent.logical >= end);
      end = extent.logical + extent.length;
      fuzz::require(end <= inode->attributes.size);
      if (extent.place == erofs::Extent::Place::packed) return {};
      fuzz::require(extent.offset <= image_size &&
                    extent.stored_length <= image_size - extent.offset);
      return {};
    });
  }
  return 0;
}
