#pragma once

#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/integrity/integrity_target.h>

namespace intact::integrity {

inline Algorithm named(std::string name, std::size_t key_size = 0) {
  Algorithm algorithm{std::move(name), {}};
  if (key_size == 0) return algorithm;
  Bytes key(key_size);
  for (std::size_t i = 0; i < key_size; ++i) key[i] = static_cast<std::byte>(i * 3 + 1);
  algorithm.key = std::make_shared<const crypto::Secret>(crypto::Secret::copy_of(key));
  return algorithm;
}

inline Bytes random_content(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

/// A formatted device in memory, without a background thread.
struct TestDevice {
  explicit TestDevice(Params p, std::size_t size = 512 << 10, std::size_t meta_size = 0)
      : params(std::move(p)), data(std::make_shared<block::MemoryDevice>(Bytes(size))) {
    if (meta_size != 0) meta = std::make_shared<block::MemoryDevice>(Bytes(meta_size));
    const auto formatted = format(params, devices());
    EXPECT_TRUE(formatted) << formatted.error().message();
  }
  Devices devices() const { return {.data = data, .meta = meta}; }

  static IntegrityTarget::Options quiet() {
    IntegrityTarget::Options options;
    options.background = false;
    return options;
  }
  Result<std::unique_ptr<IntegrityTarget>> open(
      const IntegrityTarget::Options& options = quiet()) const {
    return IntegrityTarget::open(params, devices(), options);
  }
  std::unique_ptr<IntegrityTarget> must_open(
      const IntegrityTarget::Options& options = quiet()) const {
    auto target = open(options);
    if (!target) {
      ADD_FAILURE() << target.error().message();
      std::abort();
    }
    return std::move(*target);
  }
  /// Fills the whole device, closes it and returns the content.
  Bytes fill(unsigned seed = 1) const {
    const auto target = must_open();
    Bytes content = random_content(target->size(), seed);
    EXPECT_TRUE(target->write(0, content));
    EXPECT_TRUE(target->close());
    return content;
  }
  /// The same bytes on other devices.
  TestDevice copy() const {
    TestDevice other(*this);
    other.data = std::make_shared<block::MemoryDevice>(data->bytes());
    if (meta) other.meta = std::make_shared<block::MemoryDevice>(meta->bytes());
    return other;
  }

  Params params;
  std::shared_ptr<block::MemoryDevice> data, meta;
};

inline Bytes read_all(const IntegrityTarget& target) {
  Bytes content(target.size());
  const auto read = target.read(0, content);
  EXPECT_TRUE(read) << read.error().message();
  return content;
}

}  // namespace intact::integrity
