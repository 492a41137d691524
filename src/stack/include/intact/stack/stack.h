#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/stack/volume.h>

namespace intact::stack {

/// Whom an open stack tells things. Called by reading threads, several at once.
struct Events {
  std::function<void(std::string_view line)> log;  ///< of damage, one line
  std::function<void()> stop = {};  ///< damage was met, and no read will be answered any more
};

/// What an open volume counts, for those who ask its server.
struct Status {
  std::function<std::string()> tell = {};  ///< a JSON object, by any thread; empty: nothing
  File file = {};                          ///< by which it is known
};

/// What a layer adds to its device. Each may be empty.
struct Hooks {
  std::function<std::string()> summary = {};
  Status status = {};
  std::function<Result<void>()> close = {};  ///< after the last flush
};

/// An open volume. Its device is thread-safe and may be shared with front ends.
class Stack {
 public:
  explicit Stack(std::shared_ptr<block::BlockTarget> top, Hooks hooks = {})
      : top_(std::move(top)), hooks_(std::move(hooks)) {}

  const std::shared_ptr<block::BlockTarget>& top() const { return top_; }
  /// A line on what was mended and what was beyond it; empty if there was no damage.
  std::string summary() const;
  const Status& status() const { return hooks_.status; }
  /// Makes all that was written durable and leaves the volume as one that was closed. Nothing may
  /// be written during it and afterwards. A stack that goes without it is what a crash leaves.
  Result<void> close();

 private:
  std::shared_ptr<block::BlockTarget> top_;
  Hooks hooks_;
};

/// Checks all that can be checked without reading all: layouts, sizes, the root hash. Errors as of
/// the open of each layer.
Result<Stack> open(const Volume& volume, const Events& events);

}  // namespace intact::stack
