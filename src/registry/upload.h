#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <intact/base/stream.h>
#include <intact/oci/descriptor.h>

#include "session.h"

namespace intact::registry {

/// Whether a repository has a blob of that digest and size.
Result<bool> has_blob(Session& session, const oci::Descriptor& blob);

/// Whether the registry could give it the blob out of another of its repositories.
Result<bool> mount_blob(Session& session, const oci::Descriptor& blob, const std::string& from);

/// Sends a blob: in one request, or a large one in several that go on where the server has got to
/// when one of them fails. What a server does not like to be sent in one way is tried in the other.
/// The bytes must be those of the digest: the caller has hashed them.
Result<void> upload_blob(Session& session, const oci::Descriptor& blob,
                         const std::shared_ptr<const ByteSource>& bytes);

}  // namespace intact::registry
