#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <intact/block/device.h>

namespace intact::block::testing {

/// Counts operations of one or several devices and says which of them fails.
struct Fault {
  std::uint64_t fail_at = 0;  ///< the number of the operation, from 1 on; 0: none
  bool for_ever = false;      ///< and all later ones
  std::uint64_t done = 0;     ///< operations so far

  bool strikes() {
    ++done;
    return fail_at != 0 && (done == fail_at || (for_ever && done > fail_at));
  }
  bool struck() const { return fail_at != 0 && done >= fail_at; }
};

/// A device of which one read, write or flush fails. Half of a write that fails is there. Not
/// thread-safe.
class FaultyDevice final : public Device {
 public:
  FaultyDevice(std::shared_ptr<Device> lower, std::shared_ptr<Fault> fault)
      : lower_(std::move(lower)), fault_(std::move(fault)) {}

  std::uint64_t size() const override { return lower_->size(); }
  Limits limits() const override { return {.writable = true}; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    if (fault_->strikes()) return error();
    return lower_->read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    if (!fault_->strikes()) return lower_->write(offset, bytes);
    TRY(lower_->write(offset, bytes.first(bytes.size() / 1024 * 512)));
    return error();
  }
  Result<void> flush() override {
    if (fault_->strikes()) return error();
    return lower_->flush();
  }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    if (fault_->strikes()) return error();
    return lower_->discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    if (fault_->strikes()) return error();
    return lower_->zero(offset, length);
  }

 private:
  static Error error() { return Error(ErrorKind::io, "this device was made to fail", 5); }

  std::shared_ptr<Device> lower_;
  std::shared_ptr<Fault> fault_;
};

}  // namespace intact::block::testing
