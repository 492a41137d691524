#include "layer.h"

namespace intact::stack {

Result<Stack> Layer<PlainVolume>::open(const PlainVolume& volume, const std::string&,
                                       const Events&) {
  return Stack(volume.file);
}

Result<Json> Layer<PlainVolume>::encode(const PlainVolume& volume,
                                        OutgoingDescriptors& descriptors) {
  return Json{{"file", TRY(descriptors.add(volume.file))}};
}

Result<PlainVolume> Layer<PlainVolume>::decode(const Json& json, IncomingDescriptors& descriptors) {
  return PlainVolume{.file = TRY(descriptors.file(TRY(require_uint(json, "file"))))};
}

}  // namespace intact::stack
