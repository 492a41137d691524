#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/store/lease.h>

#include "layout.h"

namespace intact::store {

Result<MountLease> MountLease::take(Store& store, const Digest& image) {
  // Under this lock nothing is collected: the link must not be found before its file is open.
  const FileLock no_gc = TRY(FileLock::shared(store.dir_fd(), kGcLock).context(store.path()));
  MountLease lease;
  lease.leases_ = TRY(open_at(TRY(store.folder(Folder::leases)), ".", O_RDONLY | O_DIRECTORY));
  const std::string name = mount_lease_name(image);
  const std::string file = image.hex();
  const int images = TRY(store.folder(Folder::images));
  if (::linkat(images, file.c_str(), lease.leases_.get(), name.c_str(), 0) != 0) {
    if (errno != EROFS && errno != EACCES && errno != EPERM)
      return Error::from_errno("lease on " + store.path() + "/" + kImages + "/" + file, errno);
    lease.image_ = TRY(store.open_image(image));
    return lease;
  }
  lease.name_ = name;
  lease.image_ = TRY(open_regular(lease.leases_.get(), name).context(store.path()));
  return lease;
}

void MountLease::leave_to_kernel() {
  name_.clear();
  image_.reset();
}

MountLease::~MountLease() {
  if (leases_ && !name_.empty()) ::unlinkat(leases_.get(), name_.c_str(), 0);
}

}  // namespace intact::store
