#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <intact/tree/file_tree.h>

namespace intact::serve {

/// The files that the kernel has open, by the handle it knows them by. A mount that ends by force
/// never has its open files released, so they are owned here and not by the handles. Thread-safe.
class OpenFiles {
 public:
  using Handle = std::uint64_t;

  /// `max_files`: how many different files may be open at a time.
  explicit OpenFiles(std::size_t max_files) : max_files_(max_files) {}

  /// Nothing when too many files are open.
  std::optional<Handle> add(std::shared_ptr<tree::OpenFile> file) {
    const auto handle = std::bit_cast<Handle>(file.get());
    const std::lock_guard lock(mutex_);
    if (files_.size() >= max_files_ && !files_.contains(handle)) return std::nullopt;
    auto& [owner, opens] = files_[handle];
    owner = std::move(file);
    ++opens;
    return handle;
  }

  /// Valid until the handle is removed, which the kernel does after the last request for it.
  static tree::OpenFile& file(Handle handle) { return *std::bit_cast<tree::OpenFile*>(handle); }

  void remove(Handle handle) {
    std::shared_ptr<tree::OpenFile> last;  // declared first: closed when the lock is gone
    const std::lock_guard lock(mutex_);
    const auto it = files_.find(handle);
    if (it == files_.end() || --it->second.opens != 0) return;
    last = std::move(it->second.owner);
    files_.erase(it);
  }

  std::size_t max_files() const { return max_files_; }

 private:
  struct Open {
    std::shared_ptr<tree::OpenFile> owner;
    std::uint64_t opens = 0;  ///< a tree may return one file several times
  };

  const std::size_t max_files_;
  std::mutex mutex_;
  std::unordered_map<Handle, Open> files_;
};

}  // namespace intact::serve
