#pragma once

#include <string>

#include <intact/json/json.h>
#include <intact/stack/stack.h>

#include "descriptors.h"

namespace intact::stack {

/// What each kind of volume says for itself: how it is opened, and how it is written down for
/// another process. kName is its key there.
template <typename Kind>
struct Layer;

template <>
struct Layer<PlainVolume> {
  static constexpr const char* kName = "plain";
  static Result<Stack> open(const PlainVolume& volume, const std::string& name,
                            const Events& events);
  static Result<Json> encode(const PlainVolume& volume, OutgoingDescriptors& descriptors);
  static Result<PlainVolume> decode(const Json& json, IncomingDescriptors& descriptors);
};

template <>
struct Layer<VerityVolume> {
  static constexpr const char* kName = "verity";
  static Result<Stack> open(const VerityVolume& volume, const std::string& name,
                            const Events& events);
  static Result<Json> encode(const VerityVolume& volume, OutgoingDescriptors& descriptors);
  static Result<VerityVolume> decode(const Json& json, IncomingDescriptors& descriptors);
};

template <>
struct Layer<IntegrityVolume> {
  static constexpr const char* kName = "integrity";
  static Result<Stack> open(const IntegrityVolume& volume, const std::string& name,
                            const Events& events);
  static Result<Json> encode(const IntegrityVolume& volume, OutgoingDescriptors& descriptors);
  static Result<IntegrityVolume> decode(const Json& json, IncomingDescriptors& descriptors);
};

}  // namespace intact::stack
