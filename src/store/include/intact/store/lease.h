#pragma once

#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/store/store.h>

namespace intact::store {

/// Keeps an image and all its content in the store, even if its name is removed: a file in leases/,
/// locked as long as this object or a process forked while it lived exists. A process that dies
/// loses its leases. Movable; the store must outlive it.
class Lease {
 public:
  Lease() = default;  ///< holds nothing
  /// not_found when the image has gone since the caller found its name. In a store that we may not
  /// write to, the lease holds nothing: held() is false.
  static Result<Lease> take(Store& store, const NamedImage& image);

  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  bool held() const { return static_cast<bool>(file_); }

 private:
  void end();

  UniqueFd leases_;  // the directory: a descriptor of our own, so that no store is needed to end
  UniqueFd file_;
  std::string name_;
};

/// Keeps an image and its objects in the store for what the kernel mounts of it: no process is
/// needed. It is a further link to the image's file, in leases/, and lasts as long as anybody has
/// that file open. The kernel has it open for what is mounted from it, in whichever mount namespace
/// and under whichever name, and no longer; after a reboot nobody has. gc asks the kernel and
/// removes the link when it has had its time. Movable; the store must outlive it.
class MountLease {
 public:
  /// not_found when the image is not in the store. In a store that we may not write to, no link is
  /// made; the open file remains.
  static Result<MountLease> take(Store& store, const Digest& image);
  MountLease(MountLease&& other) noexcept = default;
  MountLease& operator=(MountLease&&) = delete;
  /// Ends the lease unless it was left to the kernel.
  ~MountLease();

  /// The file of the image, unverified, open for reading: what is to be mounted.
  int image() const { return image_.get(); }
  /// The mount is there: from here on the kernel alone holds the lease.
  void leave_to_kernel();

 private:
  MountLease() = default;

  UniqueFd leases_;  // the directory: a descriptor of our own, so that no store is needed to end
  UniqueFd image_;
  std::string name_;  // of the link; empty if there is none
};

}  // namespace intact::store
