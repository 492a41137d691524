#pragma once

#include <cstddef>
#include <string>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::dm {

/// The payload of the key of type "user" with this description, which is in a keyring of this
/// thread, process, session or user. It is never in other memory than that of the secret.
/// not_found: no such key; limit: more than `limit` bytes; io: expired, revoked or not readable.
Result<crypto::Secret> read_user_key(const std::string& description, std::size_t limit);

}  // namespace intact::dm
