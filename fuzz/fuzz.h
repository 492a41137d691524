#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <intact/base/bytes.h>

// What libFuzzer calls with each input. Every target defines it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace intact::fuzz {

inline ByteSpan input(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

/// Ends the process, so that the fuzzer keeps the input: something that must hold does not.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace intact::fuzz
