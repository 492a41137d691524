#pragma once

#include <intact/crypto/block_hasher.h>

namespace intact::crypto {

/// AES-CMAC with a key of 16, 24 or 32 bytes; bad_secret for another.
Result<std::unique_ptr<const BlockMac>> make_cmac(ByteSpan key, std::size_t block_size,
                                                  MessageFrame frame);

/// Bytes of the digest of "blake2b-BITS" as the kernel names it, 0 for any other name.
std::size_t blake2b_size(std::string_view name);
/// A key of up to 64 bytes, or none; bad_secret for a longer one.
Result<std::unique_ptr<const BlockMac>> make_blake2b(std::size_t digest_size, ByteSpan key,
                                                     std::size_t block_size, MessageFrame frame);

}  // namespace intact::crypto
