#pragma once

#include <optional>
#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>
#include <intact/registry/registry.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

/// Why an image is trusted, or not.
struct TrustReport {
  Digest manifest;
  std::string name;  ///< that the rules are asked for; may be empty
  sign::Explanation explanation;
};

/// Of an image that need not be sealed. `name`: what it would be called; may be empty.
Result<TrustReport> explain_source(const oci::Reference& reference, const std::string& name,
                                   const std::optional<oci::Platform>& platform,
                                   const sign::Anchors& anchors,
                                   const registry::Options& options = {});
/// Of an image in a store; `name` is as in store::resolve_image().
Result<TrustReport> explain_stored(const store::Store& store, const std::string& name,
                                   const sign::Anchors& anchors);

}  // namespace intact::image
