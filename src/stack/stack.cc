#include <array>
#include <utility>

#include <intact/stack/handover.h>
#include <intact/stack/stack.h>

#include "layer.h"

namespace intact::stack {
namespace {

using AnyLayer = decltype(Volume::layer);

template <typename Kind>
Result<AnyLayer> decode(const Json& json, IncomingDescriptors& descriptors) {
  return AnyLayer(TRY(Layer<Kind>::decode(json, descriptors)));
}

struct NamedDecoder {
  const char* name;
  Result<AnyLayer> (*decode)(const Json& json, IncomingDescriptors& descriptors);
};

template <typename... Kinds>
constexpr std::array<NamedDecoder, sizeof...(Kinds)> decoders_of(const std::variant<Kinds...>*) {
  return {{{Layer<Kinds>::kName, decode<Kinds>}...}};
}

constexpr auto kDecoders = decoders_of(static_cast<const AnyLayer*>(nullptr));

}  // namespace

std::string Stack::summary() const {
  return hooks_.summary ? hooks_.summary() : std::string();
}

Result<void> Stack::close() {
  TRY(top_->flush());
  return hooks_.close ? hooks_.close() : Result<void>();
}

Result<Stack> open(const Volume& volume, const Events& events) {
  return std::visit(
      [&]<typename Kind>(const Kind& layer) {
        return Layer<Kind>::open(layer, volume.name, events);
      },
      volume.layer);
}

Result<Handover> hand_over(const Volume& volume) {
  OutgoingDescriptors descriptors;
  const auto encoded = std::visit(
      [&]<typename Kind>(const Kind& layer) -> Result<Json> {
        return Json{{"name", volume.name},
                    {Layer<Kind>::kName, TRY(Layer<Kind>::encode(layer, descriptors))}};
      },
      volume.layer);
  if (!encoded) return Error(encoded.error());
  return Handover{.description = to_text(*encoded), .descriptors = descriptors.take()};
}

Result<Volume> take_over(std::string_view description) {
  const Json document = TRY(parse_json(description));
  std::string name = TRY(require_string(document, "name"));
  IncomingDescriptors descriptors;
  for (const NamedDecoder& decoder : kDecoders)
    if (const Json* const json = TRY(optional_object(document, decoder.name)))
      return Volume{.name = std::move(name), .layer = TRY(decoder.decode(*json, descriptors))};
  return Error(ErrorKind::malformed, "stack description: no kind of volume that is known");
}

}  // namespace intact::stack
