#pragma once

#include <memory>

#include <intact/base/file.h>
#include <intact/base/stream.h>
#include <intact/image/damage.h>
#include <intact/store/store.h>

namespace intact::image {

/// The EROFS image of this digest in the store, each block verified before it can be read and then
/// kept in private memory. tampered when it cannot be that image.
Result<std::shared_ptr<const ByteSource>> open_stored_image(const store::Store& store,
                                                            const Digest& image,
                                                            const DamageSink& damage = {});

/// Attaches the foreign object directories that the record of an image names. One that is gone is
/// passed over: what it held is then missing, and is told as such when it is read.
void attach_object_dirs(store::Store& store, const store::NamedImage& record);

}  // namespace intact::image
