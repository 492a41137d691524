#pragma once

#include <cstdint>
#include <optional>

#include <intact/base/digest.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/image/work.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>
#include <intact/registry/registry.h>

namespace intact::image {

struct CopyOptions {
  std::optional<oci::Platform> platform = {};  ///< this one of an index; nothing: the host's
  bool all = false;        ///< an index with all of its manifests, not one of them
  bool referrers = false;  ///< also what refers to the image but is not a signature
  registry::Options source_registry = {};
  registry::Options destination_registry = {};
  UnpackLimits limits = {};
  ProgressOfSteps progress = {};  ///< may be empty
};

struct CopyReport {
  oci::Reference destination;  ///< with its tag
  Digest manifest;             ///< of the image or index
  std::uint64_t blobs = 0;     ///< configs and layers
  std::uint64_t present = 0;   ///< of those, which the destination had
  std::uint64_t bytes = 0;     ///< of those that it had not
  std::uint64_t attached = 0;  ///< manifests of signatures and referrers
};

/// Copies an image as it is, byte for byte, with its signatures: from any place to any other. Every
/// blob is hashed on its way; nobody's signature is checked. The destination's tag is that of the
/// source unless it names one, and is moved to the image when everything is there.
Result<CopyReport> copy_image(const oci::Reference& source, const oci::Reference& destination,
                              const CopyOptions& options);

}  // namespace intact::image
