#pragma once

#include <intact/base/result.h>

namespace intact {

/// Remembers which descriptors are open. To be called first of all in main(), before the program
/// opens anything itself. Not thread-safe.
void remember_inherited_descriptors();

/// Whether a descriptor that the user named by its number was open when the program was started:
/// the user does not mean a file that the program has opened since. invalid_argument if it was not;
/// never if nothing was remembered.
Result<void> check_inherited(int fd);

}  // namespace intact
