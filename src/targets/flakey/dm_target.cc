#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include <fmt/format.h>

#include <intact/dm/target.h>
#include <intact/flakey/dm_target.h>

namespace intact::flakey {
namespace {

constexpr std::size_t kMaxFeatureWords = 11;  // the kernel's limit
constexpr std::uint64_t kCertain = 1'000'000'000;

struct Corruption {
  std::uint32_t nth = 0;  ///< byte of a request, from 1 on; 0: none
  std::byte value = {};
};

/// How it misbehaves.
struct Features {
  bool error_reads = false;
  bool error_writes = false;
  bool drop_writes = false;
  Corruption reads;
  Corruption writes;
  std::uint64_t random_reads = 0;  ///< in kCertain
  std::uint64_t random_writes = 0;
  bool any = false;
};

class FlakeyTarget final : public block::Device {
 public:
  using Seconds = std::chrono::seconds;

  FlakeyTarget(std::shared_ptr<block::Device> lower, Seconds up, Seconds down, Features features)
      : lower_(std::move(lower)), up_(up), down_(down), features_(features) {}

  std::uint64_t size() const override { return lower_->size(); }
  block::Limits limits() const override { return lower_->limits(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    if (!is_down()) return lower_->read(offset, out);
    if (fails(features_.error_reads)) return failure("read");
    TRY(lower_->read(offset, out));
    corrupt(out, features_.reads, features_.random_reads);
    return {};
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    if (!is_down()) return lower_->write(offset, bytes);
    if (fails(features_.error_writes)) return failure("write");
    if (features_.drop_writes) return dropped(offset, bytes.size());
    if (features_.writes.nth == 0 && features_.random_writes == 0)
      return lower_->write(offset, bytes);
    Bytes changed(bytes.begin(), bytes.end());
    corrupt(changed, features_.writes, features_.random_writes);
    return lower_->write(offset, changed);
  }
  Result<void> flush() override {
    return is_down() && fails(false) ? failure("flush") : lower_->flush();
  }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    if (is_down() && fails(features_.error_writes)) return failure("discard");
    if (is_down() && features_.drop_writes) return dropped(offset, length);
    return lower_->discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    if (is_down() && fails(features_.error_writes)) return failure("write of zeros");
    if (is_down() && features_.drop_writes) return dropped(offset, length);
    return lower_->zero(offset, length);
  }
  // Extents: all is data, since what reads give changes with the time.

  std::vector<block::Counter> counters() const override {
    return {
        {"failed", failed_.load()}, {"dropped", dropped_.load()}, {"corrupted", corrupted_.load()}};
  }

 private:
  bool is_down() const {
    const auto age = std::chrono::steady_clock::now() - opened_;
    return age % (up_ + down_) >= up_;
  }
  bool fails(bool by_feature) const { return by_feature || !features_.any; }
  Error failure(const char* what) const {
    ++failed_;
    return Error::from_errno(fmt::format("the flakey target is down: {}", what), EIO);
  }
  Result<void> dropped(std::uint64_t offset, std::uint64_t length) {
    TRY(block::check_blocks(*this, offset, length));
    ++dropped_;
    return {};
  }
  void corrupt(MutableByteSpan bytes, const Corruption& corruption, std::uint64_t chance) const {
    if (corruption.nth != 0 && corruption.nth <= bytes.size()) {
      bytes[corruption.nth - 1] = corruption.value;
      ++corrupted_;
    }
    if (chance == 0 || bytes.empty()) return;
    const std::lock_guard lock(mutex_);
    if (random_() % kCertain >= chance) return;
    bytes[random_() % bytes.size()] = static_cast<std::byte>(random_());
    ++corrupted_;
  }

  std::shared_ptr<block::Device> lower_;
  const Seconds up_;
  const Seconds down_;
  const Features features_;
  const std::chrono::steady_clock::time_point opened_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  mutable std::mt19937_64 random_{std::random_device()()};
  mutable std::atomic<std::uint64_t> failed_ = 0;
  mutable std::atomic<std::uint64_t> dropped_ = 0;
  mutable std::atomic<std::uint64_t> corrupted_ = 0;
};

Result<void> take_corruption(dm::Arguments& arguments, Features& features) {
  const std::uint32_t nth = TRY(arguments.number32("byte of corrupt_bio_byte"));
  if (nth == 0) return arguments.wrong("byte of corrupt_bio_byte", "above 0");
  const std::string direction = TRY(arguments.word("direction of corrupt_bio_byte"));
  if (direction != "r" && direction != "w")
    return arguments.wrong("direction of corrupt_bio_byte", "r or w");
  const auto value =
      static_cast<std::byte>(TRY(arguments.number("value of corrupt_bio_byte", 255)));
  if (TRY(arguments.number32("flags of corrupt_bio_byte")) != 0)
    return arguments.wrong("flags of corrupt_bio_byte", "0; requests have no flags here");
  (direction == "r" ? features.reads : features.writes) = {.nth = nth, .value = value};
  return {};
}

Result<Features> take_features(dm::Arguments& arguments) {
  Features features;
  TRY(arguments.count_of_options(kMaxFeatureWords));
  while (!arguments.at_end()) {
    const std::string feature = TRY(arguments.word("feature"));
    features.any = true;
    if (feature == "error_reads")
      features.error_reads = true;
    else if (feature == "error_writes")
      features.error_writes = true;
    else if (feature == "drop_writes")
      features.drop_writes = true;
    else if (feature == "corrupt_bio_byte")
      TRY(take_corruption(arguments, features));
    else if (feature == "random_read_corrupt")
      features.random_reads = TRY(arguments.number("probability", kCertain));
    else if (feature == "random_write_corrupt")
      features.random_writes = TRY(arguments.number("probability", kCertain));
    else
      return arguments.wrong("feature", "a feature of this target");
  }
  if (features.drop_writes && features.error_writes)
    return Error(ErrorKind::invalid_argument,
                 "flakey: drop_writes and error_writes exclude each other");
  if (features.error_reads && features.reads.nth != 0)
    return Error(ErrorKind::invalid_argument,
                 "flakey: error_reads and corrupt_bio_byte of reads exclude each other");
  return features;
}

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names& names,
                                                 const dm::Opening& opening) {
  dm::Arguments arguments(line);
  auto lower = TRY(dm::part_of_device(arguments, line.sectors, names, opening));
  const std::chrono::seconds up(TRY(arguments.number32("up interval")));
  const std::chrono::seconds down(TRY(arguments.number32("down interval")));
  if (up + down == std::chrono::seconds(0))
    return arguments.wrong("down interval", "enough: one of the intervals must be above 0");
  const Features features = TRY(take_features(arguments));
  return std::shared_ptr<block::Device>(
      std::make_shared<FlakeyTarget>(std::move(lower), up, down, features));
}

}  // namespace

constinit const dm::Target kDmTarget = {
    .name = "flakey", .open = open_line, .kernel_arguments = dm::with_kernel_names<0>};

}  // namespace intact::flakey
