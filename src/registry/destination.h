#pragma once

#include <intact/registry/registry.h>

namespace intact::registry {

/// A repository as a destination; see open_destination(). The reference has a tag.
Result<std::unique_ptr<oci::ImageDestination>> open_registry_destination(
    const oci::Reference& reference, const Options& options);

}  // namespace intact::registry
