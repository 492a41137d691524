#include <algorithm>

#include "write_mode.h"

namespace intact::integrity {
namespace {

/// Mode D: data and tags in place, in no order.
class DirectMode final : public WriteMode {
 public:
  explicit DirectMode(Volume& volume) : volume_(volume) {}

  Result<void> write(std::uint64_t block, ByteSpan blocks, ByteSpan tags) override {
    return volume_.write_places(block, blocks, tags);
  }
  Result<void> write_zeros(std::uint64_t block, ByteSpan zeros, ByteSpan tags) override {
    return volume_.zero_places(block, volume_.block_of(volume_.sectors_in(zeros)), tags);
  }
  Result<void> flush() override { return volume_.flush_in_place(); }
  Result<void> mark_discarded(std::uint64_t block, std::uint64_t blocks) override {
    return volume_.fill_tags(block, blocks);
  }
  Result<void> close() override { return volume_.flush_in_place(); }
  std::optional<Time> due() const override { return std::nullopt; }
  Result<void> work() override { return {}; }

 private:
  Volume& volume_;
};

}  // namespace

std::unique_ptr<WriteMode> make_direct_mode(Volume& volume) {
  return std::make_unique<DirectMode>(volume);
}

}  // namespace intact::integrity
