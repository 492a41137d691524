#pragma once

#include <memory>

#include <intact/base/bytes.h>
#include <intact/crypto/sector_cipher.h>

namespace intact::crypto {

inline constexpr std::size_t kLrwTweakSize = 16;  // bytes, the last of the key

/// LRW (IEEE P1619, draft 2) out of a block cipher with blocks of 16 bytes in ECB mode. The IV is
/// the number of the message's first block, big-endian.
std::unique_ptr<const SectorCipher> make_lrw(std::unique_ptr<const SectorCipher> ecb,
                                             ByteSpan tweak_key);

}  // namespace intact::crypto
