#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>
#include <intact/registry/registry.h>

namespace intact::image {

/// What can be told of an image that is not in the store, without pulling it. Documents were
/// compared with their digests; no signature was checked.
struct SourceSummary {
  oci::Reference reference;
  oci::Descriptor top;  ///< the manifest or index
  std::optional<oci::Platform> platform = {};
  bool is_index = false;
  std::vector<oci::Descriptor> manifests = {};   ///< of an index
  std::optional<oci::Descriptor> config = {};    ///< of a manifest
  std::vector<oci::Descriptor> layers = {};      ///< of a manifest
  std::vector<oci::Descriptor> signatures = {};  ///< manifests with signatures and attestations
  std::vector<oci::Descriptor> referrers = {};   ///< other manifests that name this one
  std::vector<std::string> tags = {};            ///< of the images beside it
};

/// Errors are those of registry::open_source() and of oci::ImageSource.
Result<SourceSummary> summarize_source(const oci::Reference& reference,
                                       const registry::Options& options);

/// The bytes of the manifest or index alone, which have its digest. The same errors.
Result<Bytes> read_top_document(const oci::Reference& reference, const registry::Options& options);

}  // namespace intact::image
