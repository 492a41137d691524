#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

// The highest serial number that was pulled is remembered outside the store, beside the memory of
// pulls, so that an older image with a valid signature is not taken for the newest. It is
// remembered for the signed identity, whatever name and store the image was pulled into, and for
// the name in the store, whatever identity was signed. Removing a name forgets neither.

/// untrusted if an image with a higher serial number was pulled before by this user, or by root for
/// everybody. An image without a number is older than all that have one.
Result<void> check_serial(const store::Store& store, const std::string& name,
                          const sign::Verdict& signer);

/// Remembers the number of an image that was pulled, unless a higher one is known.
Result<void> remember_serial(const store::Store& store, const std::string& name,
                             const sign::Verdict& signer);

}  // namespace intact::image
