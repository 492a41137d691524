#pragma once

#include <intact/base/bytes.h>

namespace intact::crypto {

/// Fills `out` from the system's random generator. Never fails: without one the program aborts.
void fill_random(MutableByteSpan out);
Bytes random_bytes(std::size_t size);

}  // namespace intact::crypto
