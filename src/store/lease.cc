#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

#include <intact/base/file.h>
#include <intact/store/lease.h>

#include "layout.h"
#include "record.h"

namespace intact::store {

Result<Lease> Lease::take(Store& store, const NamedImage& image) {
  // Under this lock nothing is collected, so what is there stays until the lease counts.
  const FileLock no_gc = TRY(FileLock::shared(store.dir_fd(), kGcLock).context(store.path()));
  if (auto there = store.open_image(image.image.digest); !there) {
    if (there.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::not_found,
                   image.name + ": its image is missing from the store " + store.path());
    return std::move(there).error();
  }
  Lease lease;
  auto written = [&]() -> Result<void> {
    lease.leases_ = TRY(open_at(TRY(store.folder(Folder::leases)), ".", O_RDONLY | O_DIRECTORY));
    const std::string name = lease_name(image.image.digest);
    lease.file_ =
        TRY(open_at(lease.leases_.get(), name, O_RDWR | O_CREAT | O_EXCL, kPrivateFileMode));
    lease.name_ = name;
    // Waits for nobody but a check that is just looking whether we live.
    TRY(lock_exclusive(lease.file_.get()));
    auto recorded = write_all(lease.file_.get(), as_bytes(encode_record(image)));
    // A full disk must not stop anyone from reading: the file's name alone protects the image.
    const int reason = recorded ? 0 : recorded.error().sys_errno();
    if (reason == ENOSPC || reason == EDQUOT) return {};
    return recorded;
  }();
  if (!written) {
    const int reason = written.error().sys_errno();
    if (reason == EROFS || reason == EACCES || reason == EPERM) return Lease();
    return std::move(written).error().with_context("lease in " + store.path());
  }
  return lease;
}

void Lease::end() {
  if (!file_) return;
  file_.reset();
  // Only the last holder removes the file: a process forked meanwhile may still serve the image.
  const UniqueFd again(::openat(leases_.get(), name_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (again && ::flock(again.get(), LOCK_EX | LOCK_NB) == 0)
    ::unlinkat(leases_.get(), name_.c_str(), 0);
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    end();
    leases_ = std::move(other.leases_);
    file_ = std::move(other.file_);
    name_ = std::move(other.name_);
  }
  return *this;
}

Lease::~Lease() {
  end();
}

}  // namespace intact::store
