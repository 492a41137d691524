#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/block/device.h>
#include <intact/verity/fec.h>
#include <intact/verity/params.h>

namespace intact::verity {

/// Computes the hash tree over the first params.data_blocks blocks of `data`, writes it to `hash`
/// from byte `offset` on (Geometry::hash_size() bytes) and returns the root hash. Memory does not
/// depend on the size of the data: levels above the first are computed from what was written.
/// Uses `threads` threads, 0 meaning one for each processor. Does not flush.
Result<Bytes> build_hash_tree(const Params& params, const ByteSource& data, block::Device& hash,
                              std::uint64_t offset, unsigned threads = 0,
                              const Progress& progress = {});

}  // namespace intact::verity
