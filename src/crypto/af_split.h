#pragma once

#include <cstddef>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

// The anti-forensic splitter of LUKS ("luks1"): a key becomes many stripes of its size, all of
// which are needed to have it again, so that a disk that kept some of them does not keep the key.
// Thread-safe; what is computed on the way is wiped.

/// The key out of its stripes; `material` is a multiple of them. unsupported for an unknown hash;
/// invalid_argument for no stripes or material that is not whole stripes.
Result<Secret> af_merge(std::string_view hash, ByteSpan material, std::size_t stripes);

/// New stripes for `key`, random but for the last. Errors as those of af_merge().
Result<Secret> af_split(std::string_view hash, const Secret& key, std::size_t stripes);

}  // namespace intact::crypto
