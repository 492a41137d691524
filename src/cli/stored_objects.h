#pragma once

#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/composefs/read.h>
#include <intact/store/store.h>

namespace intact::cli {

/// The objects that an image in the store refers to. Every byte of the image is verified before it
/// is believed: tampered if it is not what its digest says.
Result<std::vector<composefs::ObjectReference>> list_stored_objects(const store::Store& store,
                                                                    const Digest& image);

}  // namespace intact::cli
