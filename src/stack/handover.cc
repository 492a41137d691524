#include <array>
#include <utility>

#include <intact/stack/handover.h>

#include "descriptors.h"
#include "fields.h"

namespace intact::stack {
namespace {

template <typename Kind>
Result<AnyLayer> decode_as(const Json& json, IncomingDescriptors& descriptors) {
  return AnyLayer(TRY(Kind::decode(json, descriptors)));
}

struct NamedDecoder {
  const char* name;
  Result<AnyLayer> (*decode)(const Json& json, IncomingDescriptors& descriptors);
};

template <typename... Kinds>
constexpr std::array<NamedDecoder, sizeof...(Kinds)> decoders_of(const std::variant<Kinds...>*) {
  return {{{Kinds::kName, decode_as<Kinds>}...}};
}

constexpr auto kDecoders = decoders_of(static_cast<const AnyLayer*>(nullptr));

Result<AnyLayer> decode(const Json& json, IncomingDescriptors& descriptors) {
  if (json.is_object())
    for (const NamedDecoder& decoder : kDecoders)
      if (const Json* const layer = TRY(optional_object(json, decoder.name)))
        return decoder.decode(*layer, descriptors);
  return malformed("unknown kind of layer");
}

}  // namespace

Result<Handover> hand_over(const Volume& volume) {
  OutgoingDescriptors descriptors;
  Json json = {{"name", volume.name},
               {"file", TRY(descriptors.add(volume.file))},
               {"layers", Json::array()}};
  for (const AnyLayer& layer : volume.layers) {
    Json encoded =
        TRY(std::visit([&](const auto& kind) { return kind.encode(descriptors); }, layer));
    json["layers"].push_back({{name_of(layer), std::move(encoded)}});
  }
  return Handover{.description = to_text(json), .descriptors = descriptors.take()};
}

Result<Volume> take_over(std::string_view description) {
  const Json json = TRY(parse_json(description));
  IncomingDescriptors descriptors;
  Volume volume{.name = TRY(require_string(json, "name")),
                .file = TRY(descriptors.file(TRY(require_uint(json, "file"))))};
  const Json* const layers = TRY(require_array(json, "layers"));
  if (layers->size() > kMaxLayers) return malformed("layers");
  for (const Json& layer : *layers) volume.layers.push_back(TRY(decode(layer, descriptors)));
  return volume;
}

}  // namespace intact::stack
