#include "stored_objects.h"

#include <intact/base/file.h>
#include <intact/fsverity/verified_file.h>
#include <intact/fsverity/verified_memory.h>

namespace intact::cli {

Result<std::vector<composefs::ObjectReference>> list_stored_objects(const store::Store& store,
                                                                    const Digest& image) {
  UniqueFd fd = TRY(store.open_image(image));
  const std::uint64_t size = TRY(file_size(fd.get()));
  const std::shared_ptr<const ByteSource> tree = TRY(store.tree_of(image, image));
  auto file = TRY(fsverity::VerifiedFile::open(std::move(fd), size, image, tree));
  const std::shared_ptr<const ByteSource> memory =
      TRY(fsverity::VerifiedMemory::open(std::move(file)));
  return composefs::list_objects(memory).context("image " + image.hex());
}

}  // namespace intact::cli
