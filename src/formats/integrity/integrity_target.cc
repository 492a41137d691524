#include <algorithm>
#include <array>

#include "integrity_target_impl.h"

namespace intact::integrity {
namespace {

constexpr std::size_t kWriteChunk = 1 << 20;  // bytes whose tags are computed in one go

}  // namespace

Result<std::unique_ptr<IntegrityTarget>> IntegrityTarget::open(const Params& params,
                                                               const Devices& devices,
                                                               Options options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  Waker waker;
  if (impl->options.background) waker = [impl = impl.get()] { impl->background.wake(); };
  impl->device = TRY(open_device(params, devices, impl->options, waker));
  if (impl->device.mode && impl->options.background) TRY(impl->background.start(impl->device));
  return std::unique_ptr<IntegrityTarget>(new IntegrityTarget(std::move(impl)));
}

Result<void> IntegrityTarget::make_writable() {
  if (impl_->device.mode) return {};
  if (impl_->volume().params.mode == Mode::recovery) return block::read_only_error();
  TRY(impl_->check_usable());
  Waker waker;
  if (impl_->options.background) waker = [impl = impl_.get()] { impl->background.wake(); };
  TRY(begin_writing(impl_->device, impl_->options, waker));
  if (impl_->options.background) TRY(impl_->background.start(impl_->device));
  return {};
}

Result<void> IntegrityTarget::check_make_writable() const {
  if (impl_->device.mode || impl_->volume().params.mode == Mode::recovery) return {};
  TRY(impl_->check_usable());
  return check_begin_writing(impl_->device);
}

IntegrityTarget::IntegrityTarget(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

IntegrityTarget::~IntegrityTarget() {
  (void)close();
}

std::uint64_t IntegrityTarget::size() const {
  return layout().provided_data_sectors() * kSectorSize;
}

block::Limits IntegrityTarget::limits() const {
  return {.block_size = layout().block_size(), .writable = impl_->device.mode != nullptr};
}

std::uint32_t IntegrityTarget::tag_size() const {
  return layout().tag_size();
}

const Layout& IntegrityTarget::layout() const {
  return impl_->volume().layout;
}

Superblock IntegrityTarget::superblock() const {
  return impl_->volume().superblock->get();
}

Result<void> IntegrityTarget::Impl::check_write(const IntegrityTarget& target, std::uint64_t offset,
                                                std::uint64_t length) const {
  if (!device.mode) return block::read_only_error();
  TRY(block::check_blocks(target, offset, length));
  return check_usable();
}

Result<void> IntegrityTarget::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(block::check_range(size(), offset, out.size()));
  auto done = impl_->read(offset, out);
  if (!done) std::ranges::fill(out, std::byte{0});
  return done;
}

Result<void> IntegrityTarget::Impl::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_usable());
  const std::uint64_t size = volume().layout.block_size();
  Bytes partial;
  while (!out.empty()) {
    const std::uint64_t within = offset % size;
    if (within == 0 && out.size() >= size) {
      const std::size_t whole = out.size() / size * size;
      TRY(device.reader->read(offset / size, out.first(whole), {}));
      offset += whole;
      out = out.subspan(whole);
      continue;
    }
    partial.resize(size);
    TRY(device.reader->read(offset / size, partial, {}));
    const std::size_t count = std::min<std::size_t>(out.size(), size - within);
    std::ranges::copy(ByteSpan(partial).subspan(within, count), out.begin());
    offset += count;
    out = out.subspan(count);
  }
  return {};
}

Result<void> IntegrityTarget::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(impl_->check_write(*this, offset, bytes.size()));
  return impl_->write(offset, bytes);
}

/// Passes `bytes` and their tags to a function of the mode.
Result<void> IntegrityTarget::Impl::hand_on(HandOn function, std::uint64_t offset, ByteSpan bytes) {
  const std::size_t block_size = volume().layout.block_size();
  std::uint64_t block = offset / block_size;
  Bytes tags;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kWriteChunk);
    const std::size_t count = size / block_size;
    tags.resize(count * volume().layout.tag_size());
    volume().hash->compute(block, bytes.first(size), tags);
    TRY((*device.mode.*function)(block, bytes.first(size), tags));
    bytes = bytes.subspan(size);
    block += count;
  }
  return {};
}

Result<void> IntegrityTarget::Impl::write(std::uint64_t offset, ByteSpan bytes) {
  if (!volume().hash) return device.mode->write(offset / volume().layout.block_size(), bytes, {});
  return hand_on(&WriteMode::write, offset, bytes);
}

Result<void> IntegrityTarget::Impl::zero(std::uint64_t offset, ByteSpan zeros) {
  if (!volume().hash) return write(offset, zeros);
  return hand_on(&WriteMode::write_zeros, offset, zeros);
}

Result<void> IntegrityTarget::flush() {
  TRY(impl_->check_usable());
  if (!impl_->device.mode) return {};
  return impl_->device.mode->flush();
}

Result<void> IntegrityTarget::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(impl_->check_write(*this, offset, length));
  if (!impl_->volume().params.allow_discards)
    return Error(ErrorKind::unsupported, "discards are not allowed on this device");
  return impl_->discard(offset, length);
}

Result<void> IntegrityTarget::Impl::discard(std::uint64_t offset, std::uint64_t length) {
  std::uint64_t sector = offset / kSectorSize, left = length / kSectorSize;
  if (left == 0) return {};
  TRY(device.mode->mark_discarded(volume().block_of(sector), volume().block_of(left)));
  while (left > 0) {
    const std::uint64_t sectors = std::min(left, volume().layout.contiguous_sectors(sector));
    TRY(volume().data.discard(sector, sectors));
    sector += sectors;
    left -= sectors;
  }
  return {};
}

Result<void> IntegrityTarget::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(impl_->check_write(*this, offset, length));
  const Bytes zeros(std::min<std::uint64_t>(length, kWriteChunk));
  while (length > 0) {
    const std::size_t size = std::min<std::uint64_t>(length, zeros.size());
    TRY(impl_->zero(offset, ByteSpan(zeros).first(size)));
    offset += size;
    length -= size;
  }
  return {};
}

Result<void> IntegrityTarget::close() {
  return impl_->close();
}

Result<void> IntegrityTarget::Impl::close() {
  const std::lock_guard lock(close_mutex);
  if (!close_done) {
    close_done = true;
    background.stop();
    const auto finish = [&]() -> Result<void> {
      TRY(volume().failure.check());
      if (!device.mode) return {};
      if (device.recalculation) TRY(device.recalculation->save());
      return device.mode->close();
    };
    auto finished = finish();
    if (!finished) close_error = finished.error();
    closed.store(true, std::memory_order_release);
  }
  if (close_error) return Error(*close_error);
  return {};
}

}  // namespace intact::integrity
