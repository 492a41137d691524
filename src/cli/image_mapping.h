#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/stack/volume.h>

namespace intact::cli {

/// Has the kernel make a device of each layer of a volume: `name` of the uppermost, NAME-1 of the
/// lowest, NAME-2 and so on of those between. Those below go away with it, by whatever it is
/// closed; none is left where one cannot be made. invalid_argument: there is no layer. unsupported:
/// a layer would have to be written to on one that cannot be. Else errors as of map_verity and
/// map_integrity.
Result<void> map_image(const std::string& name, const stack::Volume& volume);

}  // namespace intact::cli
