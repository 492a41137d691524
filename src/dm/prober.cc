#include <algorithm>

#include <intact/dm/prober.h>

namespace intact::dm {

Result<ByteSpan> Candidate::begin() {
  if (!begin_) {
    Bytes bytes(std::min<std::uint64_t>(device_->size(), kBeginSize));
    TRY(device_->read(0, bytes));
    begin_ = std::move(bytes);
  }
  return ByteSpan(*begin_);
}

Result<bool> Candidate::read(std::uint64_t offset, MutableByteSpan out) {
  if (offset > device_->size() || device_->size() - offset < out.size()) return false;
  if (begin_ && offset <= begin_->size() && begin_->size() - offset >= out.size())
    std::ranges::copy(ByteSpan(*begin_).subspan(offset, out.size()), out.begin());
  else
    TRY(device_->read(offset, out));
  return true;
}

Result<std::optional<std::uint64_t>> Candidate::file_system_size() {
  const ByteSpan bytes = TRY(begin());
  return size_of_ == nullptr ? std::optional<std::uint64_t>() : size_of_(bytes);
}

}  // namespace intact::dm
