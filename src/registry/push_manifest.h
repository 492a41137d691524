#pragma once

#include <string>

#include <intact/base/bytes.h>
#include <intact/oci/descriptor.h>

#include "session.h"

namespace intact::registry {

/// Gives a manifest or an index to a registry, under a tag or its digest. If it refers to another
/// one and the registry does not say that it keeps track of it, it is entered into the list of
/// referrers under the tag of that other one, as OCI 1.1 asks of clients.
Result<void> push_manifest(Session& session, const std::string& reference,
                           const oci::Descriptor& descriptor, ByteSpan bytes);

}  // namespace intact::registry
