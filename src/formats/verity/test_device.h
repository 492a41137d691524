#pragma once

#include <memory>
#include <random>

#include <gtest/gtest.h>

#include <intact/block/linear_target.h>
#include <intact/block/memory_device.h>
#include <intact/verity/fec.h>
#include <intact/verity/verity_target.h>

#include "build.h"

namespace intact::verity {

/// Random data with its hash tree, and if wanted its parity, in memory.
struct TestDevice {
  explicit TestDevice(Params p, unsigned roots = 0) : params(std::move(p)) {
    std::mt19937 random(42);
    Bytes content(params.data_blocks * params.data_block_size);
    for (std::byte& b : content) b = static_cast<std::byte>(random());
    data = std::make_shared<block::MemoryDevice>(content);
    geometry = *Geometry::create(params);
    hash = std::make_shared<block::MemoryDevice>(Bytes(geometry->hash_size()));
    root = *build_hash_tree(params, *data, *hash, 0);
    if (roots == 0) return;
    fec_geometry = *FecGeometry::create({.roots = roots,
                                         .block_size = params.data_block_size,
                                         .blocks = params.data_blocks + geometry->hash_blocks()});
    parity = std::make_shared<block::MemoryDevice>(Bytes(fec_geometry->size()));
    EXPECT_TRUE(encode_fec(*fec_geometry, *covered(), *parity, 0));
  }

  std::shared_ptr<block::Device> covered() const {
    std::vector<std::shared_ptr<block::Device>> parts;
    parts.push_back(*block::LinearTarget::open(data, {.offset = 0, .length = data->size()}));
    parts.push_back(*block::LinearTarget::open(hash, {.offset = 0, .length = hash->size()}));
    return *block::ConcatTarget::open(std::move(parts));
  }

  Result<std::unique_ptr<VerityTarget>> open(VerityTarget::Options options = {}) const {
    std::optional<FecDecoder> fec;
    if (parity) fec = *FecDecoder::create(*fec_geometry, covered(), parity, 0);
    return VerityTarget::open(params, root, {.data = data, .hash = hash}, std::move(fec),
                              std::move(options));
  }

  static void flip(block::MemoryDevice& device, std::uint64_t byte) {
    Bytes one(1);
    ASSERT_TRUE(device.read(byte, one));
    one[0] ^= std::byte{0x10};
    ASSERT_TRUE(device.write(byte, one));
  }

  Params params;
  std::optional<Geometry> geometry;
  std::optional<FecGeometry> fec_geometry;
  std::shared_ptr<block::MemoryDevice> data, hash, parity;
  Bytes root;
};

}  // namespace intact::verity
