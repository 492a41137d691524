#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <intact/block/memory_device.h>

namespace intact::block::testing {

/// What was written to some devices, in order: for crash tests. Not thread-safe.
struct OperationLog {
  struct Operation {
    unsigned device;
    bool is_flush;
    std::uint64_t offset = 0;  ///< bytes; of a write
    Bytes bytes = {};
  };
  std::vector<Operation> operations;
};

/// A device in memory that logs each write and each flush. Discards are writes of zeros. Several
/// devices may share a log. Not thread-safe.
class RecordingDevice final : public Device {
 public:
  RecordingDevice(Bytes bytes, std::shared_ptr<OperationLog> log, unsigned device)
      : memory_(std::move(bytes)), log_(std::move(log)), device_(device) {}

  std::uint64_t size() const override { return memory_.size(); }
  Limits limits() const override { return {.writable = true}; }
  const Bytes& bytes() const { return memory_.bytes(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return memory_.read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    TRY(check_blocks(*this, offset, bytes.size()));
    log_->operations.push_back({.device = device_,
                                .is_flush = false,
                                .offset = offset,
                                .bytes = Bytes(bytes.begin(), bytes.end())});
    return memory_.write(offset, bytes);
  }
  Result<void> flush() override {
    log_->operations.push_back({.device = device_, .is_flush = true});
    return {};
  }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    return write(offset, Bytes(length));
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    return write(offset, Bytes(length));
  }

 private:
  MemoryDevice memory_;
  std::shared_ptr<OperationLog> log_;
  unsigned device_;
};

}  // namespace intact::block::testing
