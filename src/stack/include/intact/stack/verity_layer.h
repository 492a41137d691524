#pragma once

#include <intact/base/bytes.h>
#include <intact/stack/layer.h>
#include <intact/verity/volume.h>

namespace intact::stack {

/// A dm-verity volume and how to read it. Its data is on the device below. Read-only.
struct VerityLayer {
  static constexpr const char* kName = "verity";
  static constexpr bool kWritable = false;

  verity::Layout layout;
  Bytes root;      ///< the trusted root hash
  File hash = {};  ///< null: the device below
  File fec = {};   ///< if the layout has FEC; null: the device below
  verity::OnCorruption on_corruption = verity::OnCorruption::error;
  bool ignore_zero_blocks = false;
  bool check_at_most_once = false;

  verity::Devices devices(const std::shared_ptr<block::BlockTarget>& below) const;

  Result<OpenLayer> open(const Opening& opening) const;
  Result<Json> encode(OutgoingDescriptors& descriptors) const;
  static Result<VerityLayer> decode(const Json& json, IncomingDescriptors& descriptors);
};

}  // namespace intact::stack
