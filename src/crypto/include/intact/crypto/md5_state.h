#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

#include <intact/base/bytes.h>

namespace intact::crypto {

/// The state of MD5 after `parts`, which together have a multiple of 64 bytes: without the padding
/// and the length that make it a digest. loop-AES derives IVs so.
std::array<std::byte, 16> md5_state(std::initializer_list<ByteSpan> parts);

}  // namespace intact::crypto
