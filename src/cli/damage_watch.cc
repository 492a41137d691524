#include "damage_watch.h"

#include <cerrno>
#include <new>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <intact/base/visible.h>

#include "command.h"

namespace intact::cli {
namespace {

constexpr std::size_t kMaxSeen = 10'000;

}  // namespace

Result<std::unique_ptr<DamageWatch>> DamageWatch::create() {
  using Count = std::atomic<std::uint32_t>;
  static_assert(Count::is_always_lock_free);
  void* page =
      ::mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return Error::from_errno("mmap", errno);
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) {
    const int error = errno;
    ::munmap(page, sizeof(Count));
    return Error::from_errno("eventfd", error);
  }
  return std::unique_ptr<DamageWatch>(new DamageWatch(new (page) Count(0), std::move(event)));
}

DamageWatch::~DamageWatch() {
  ::munmap(count_, sizeof *count_);
}

void DamageWatch::note(const image::Damage& damage) {
  const std::lock_guard lock(mutex_);
  if (seen_.size() >= kMaxSeen || !seen_.insert({damage.object, damage.block}).second) return;
  count_->fetch_add(1);
  warn(visible(fmt::format("damaged: {}: block {} (byte {}) of {}: {}",
                           damage.path.empty() ? "the image's metadata" : damage.path, damage.block,
                           damage.offset, damage.object, damage.reason)));
  const std::uint64_t one = 1;
  (void)(::write(event_.get(), &one, sizeof one) == sizeof one);
}

std::uint32_t DamageWatch::count() const {
  return count_->load();
}

}  // namespace intact::cli
