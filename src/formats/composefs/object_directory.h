#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::composefs {

/// A directory of objects as mkcomposefs --digest-store fills it: each named by the fs-verity
/// digest of its content. Thread-safe, except for open() and sync(); other processes may fill the
/// same directory.
///
/// Objects are written under temporary names and get their own in batches, once one syncfs(2) has
/// made all of a batch durable: an fsync(2) for each would take most of the time.
class ObjectDirectory {
 public:
  /// Creates the directory if it does not exist.
  static Result<std::unique_ptr<ObjectDirectory>> open(const std::string& path);
  ObjectDirectory(const ObjectDirectory&) = delete;
  ObjectDirectory& operator=(const ObjectDirectory&) = delete;
  /// Removes what has not got its name.
  ~ObjectDirectory();

  /// Whether the file system may share blocks of the sources; false once it has refused.
  bool may_clone() const { return may_clone_.load(std::memory_order_relaxed); }

  /// Copies the file `source` (by reference where the file system can) unless there is an object of
  /// that digest. The copy is hashed: a file that changed since its digest was taken is an io error
  /// and leaves nothing behind.
  Result<void> add(int source, const Digest& digest);
  /// The same for content whose digest has been computed from these very bytes.
  Result<void> add(ByteSpan content, const Digest& digest);

  /// Gives all objects their names and makes these durable. Once, at the end.
  Result<void> sync();

 private:
  struct Pending {
    std::string temporary;
    Digest digest;
  };

  explicit ObjectDirectory(UniqueFd fd);
  Result<bool> is_wanted(const Digest& digest);
  Result<int> folder(const Digest& digest);
  std::string temporary_name();
  Result<void> fill(int source, int object, const Digest& digest);
  Result<void> keep(std::string temporary, const Digest& digest, std::uint64_t size);
  Result<void> publish(const std::vector<Pending>& batch);
  void try_enable_verity(const std::string& name);

  UniqueFd fd_;
  std::string prefix_;  ///< of temporary names
  std::atomic<std::uint64_t> next_ = 0;
  std::atomic<bool> may_clone_ = true;
  std::atomic<bool> may_have_verity_ = true;

  std::mutex mutex_;
  std::array<UniqueFd, 256> folders_;  ///< open ones, by the first byte of the digest
  std::unordered_set<Digest> taken_;   ///< written by this object, or found
  std::vector<Pending> pending_;       ///< written, but still without a name
  std::uint64_t pending_bytes_ = 0;
};

}  // namespace intact::composefs
