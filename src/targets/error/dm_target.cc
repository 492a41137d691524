#include <cerrno>

#include <intact/dm/target.h>
#include <intact/error/dm_target.h>

namespace intact::error {
namespace {

class ErrorTarget final : public block::Device {
 public:
  ErrorTarget(std::uint64_t size, bool writable) : size_(size), writable_(writable) {}

  std::uint64_t size() const override { return size_; }
  block::Limits limits() const override { return {.writable = writable_}; }
  Result<void> read(std::uint64_t, MutableByteSpan) const override { return failure(); }
  Result<void> write(std::uint64_t, ByteSpan) override { return failure(); }
  Result<void> flush() override { return {}; }  // dm-error gets no flushes
  Result<void> discard(std::uint64_t, std::uint64_t) override { return failure(); }
  Result<void> zero(std::uint64_t, std::uint64_t) override { return failure(); }

 private:
  static Error failure() { return Error::from_errno("the error target", EIO); }

  const std::uint64_t size_;
  const bool writable_;
};

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names&,
                                                 const dm::Opening& opening) {
  TRY(dm::Arguments(line).end());
  return std::shared_ptr<block::Device>(
      std::make_shared<ErrorTarget>(line.sectors * dm::kSectorSize, opening.may_be_written()));
}

}  // namespace

constinit const dm::Target kDmTarget = {
    .name = "error", .open = open_line, .kernel_arguments = dm::with_kernel_names<>};

}  // namespace intact::error
