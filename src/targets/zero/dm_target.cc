#include <algorithm>

#include <intact/dm/target.h>
#include <intact/zero/dm_target.h>

namespace intact::zero {
namespace {

class ZeroTarget final : public block::Device {
 public:
  ZeroTarget(std::uint64_t size, bool writable) : size_(size), writable_(writable) {}

  std::uint64_t size() const override { return size_; }
  block::Limits limits() const override { return {.writable = writable_}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    TRY(block::check_range(size_, offset, out.size()));
    std::ranges::fill(out, std::byte{});
    return {};
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    return drop(offset, bytes.size());
  }
  Result<void> flush() override { return {}; }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    return drop(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    return drop(offset, length);
  }
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const block::ExtentSink& sink) const override {
    TRY(block::check_range(size_, offset, length));
    if (length != 0) sink({.offset = offset, .length = length, .kind = block::ExtentKind::hole});
    return {};
  }

 private:
  Result<void> drop(std::uint64_t offset, std::uint64_t length) const {
    if (!writable_) return block::read_only_error();
    return block::check_blocks(*this, offset, length);
  }

  const std::uint64_t size_;
  const bool writable_;
};

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names&,
                                                 const dm::Opening& opening) {
  TRY(dm::Arguments(line).end());
  return std::shared_ptr<block::Device>(
      std::make_shared<ZeroTarget>(line.sectors * dm::kSectorSize, opening.may_be_written()));
}

}  // namespace

constinit const dm::Target kDmTarget = {
    .name = "zero", .open = open_line, .kernel_arguments = dm::with_kernel_names<>};

}  // namespace intact::zero
