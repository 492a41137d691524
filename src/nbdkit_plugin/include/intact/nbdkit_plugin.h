#pragma once

#include <intact/base/bytes.h>

namespace intact {

/// The plugin for nbdkit that serves a stack: a shared object, in the memory of the program.
ByteSpan nbdkit_plugin();

}  // namespace intact
