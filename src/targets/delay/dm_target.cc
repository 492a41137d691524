#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <intact/delay/dm_target.h>
#include <intact/dm/target.h>

namespace intact::delay {
namespace {

/// One kind of request: where it goes, and after what time.
class Class {
 public:
  Class(std::shared_ptr<block::Device> device, std::uint32_t delay)
      : device_(std::move(device)), delay_(delay) {}

  /// The device, once the time has passed. Requests wait side by side.
  block::Device& wait() const {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    std::this_thread::sleep_for(delay_);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    requests_.fetch_add(1, std::memory_order_relaxed);
    return *device_;
  }
  const block::Device& device() const { return *device_; }
  std::uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  std::uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }

 private:
  std::shared_ptr<block::Device> device_;
  std::chrono::milliseconds delay_;
  mutable std::atomic<std::uint64_t> waiting_ = 0;
  mutable std::atomic<std::uint64_t> requests_ = 0;
};

class DelayTarget final : public block::Device {
 public:
  DelayTarget(std::unique_ptr<Class> reads, std::unique_ptr<Class> writes,
              std::unique_ptr<Class> flushes)
      : reads_(std::move(reads)), writes_(std::move(writes)), flushes_(std::move(flushes)) {}

  std::uint64_t size() const override { return reads_->device().size(); }
  block::Limits limits() const override { return writes_->device().limits(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return reads_->wait().read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    return writes_->wait().write(offset, bytes);
  }
  Result<void> flush() override { return flushes_->wait().flush(); }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    return writes_->wait().discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    return writes_->wait().zero(offset, length);
  }
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const block::ExtentSink& sink) const override {
    return reads_->device().extents(offset, length, sink);
  }

  std::vector<block::Counter> counters() const override {
    return {{"reads", reads_->requests()},
            {"writes", writes_->requests()},
            {"flushes", flushes_->requests()}};
  }
  std::string dm_status() const override {
    return fmt::format("{} {} {}", reads_->waiting(), writes_->waiting(), flushes_->waiting());
  }

 private:
  std::unique_ptr<Class> reads_;
  std::unique_ptr<Class> writes_;
  std::unique_ptr<Class> flushes_;
};

Result<std::unique_ptr<Class>> take_class(dm::Arguments& arguments, std::uint64_t sectors,
                                          dm::Names& names, const dm::Opening& opening) {
  auto device = TRY(dm::part_of_device(arguments, sectors, names, opening));
  return std::make_unique<Class>(std::move(device), TRY(arguments.number32("delay")));
}

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names& names,
                                                 const dm::Opening& opening) {
  const std::size_t count = line.arguments.size();
  if (count != 3 && count != 6 && count != 9)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("delay: has {} arguments; expected 3, 6 or 9: DEVICE START DELAY, for "
                             "reads, writes and flushes",
                             count));
  // What is not said for a kind of request is that of the kind before it.
  const auto from = [&](std::size_t first) -> Result<std::unique_ptr<Class>> {
    dm::Arguments arguments(line);
    for (std::size_t i = 0; i < std::min(first, count - 3); ++i)
      TRY(arguments.word("of another kind of request"));
    return take_class(arguments, line.sectors, names, opening);
  };
  return std::shared_ptr<block::Device>(
      std::make_shared<DelayTarget>(TRY(from(0)), TRY(from(3)), TRY(from(6))));
}

}  // namespace

constinit const dm::Target kDmTarget = {
    .name = "delay", .open = open_line, .kernel_arguments = dm::with_kernel_names<0, 3, 6>};

}  // namespace intact::delay
