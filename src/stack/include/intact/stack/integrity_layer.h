#pragma once

#include <intact/integrity/integrity_target.h>
#include <intact/integrity/params.h>
#include <intact/stack/layer.h>

namespace intact::stack {

/// A dm-integrity device whose data lie on the device below. Written to if that and `meta` may be;
/// else what its journal holds is read from there and stays where it is.
struct IntegrityLayer {
  static constexpr const char* kName = "integrity";
  static constexpr bool kWritable = true;

  integrity::Params params;  ///< as it is to be opened, keys included
  File meta = {};            ///< superblock, journal and tags, if they lie apart

  Result<OpenLayer> open(const Opening& opening) const;
  Result<Json> encode(OutgoingDescriptors& descriptors) const;
  static Result<IntegrityLayer> decode(const Json& json, IncomingDescriptors& descriptors);
};

}  // namespace intact::stack
