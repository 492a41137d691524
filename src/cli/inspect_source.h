#pragma once

#include <intact/base/result.h>
#include <intact/oci/reference.h>
#include <intact/registry/registry.h>

namespace intact::cli {

enum class InspectForm { text, json, raw };

/// `inspect` of an image that is not in the store: platforms, layers, signatures and referrers, and
/// the tags beside it, without pulling it. raw: the bytes of the manifest or index alone.
Result<int> inspect_source(const oci::Reference& reference, InspectForm form,
                           const registry::Options& options);

}  // namespace intact::cli
