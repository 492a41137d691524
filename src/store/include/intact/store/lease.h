#pragma once

#include <string>

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

}  // namespace intact::store
