#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/stack/volume.h>

namespace intact::cli {

/// Makes the kernel create a device for each layer of a volume: `name` for the uppermost, NAME-1
/// for the lowest, NAME-2 and so on for those between. The lower devices go with the uppermost,
/// whatever closes it; none is left if one cannot be created. invalid_argument: no layers.
/// unsupported: the kernel would have to write to a layer on a read-only one. Otherwise errors of
/// map_verity() and map_integrity().
Result<void> map_image(const std::string& name, const stack::Volume& volume);

}  // namespace intact::cli
