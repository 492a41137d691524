#pragma once

#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/stack/volume.h>

namespace intact::stack {

enum class Writing { as_files_allow, never };

/// An open volume: a file and the layers on it, each on the device of the one below. Its top is
/// thread-safe and may be shared with front ends.
class Stack {
 public:
  /// A stack without layers: the file as it is.
  explicit Stack(File file) : file_(std::move(file)) {}

  /// Opens a layer on top(); after an error the stack is unchanged. `name` is that of the volume.
  /// limit: there are kMaxLayers already.
  Result<void> open(const AnyLayer& layer, const std::string& name, const Events& events,
                    Writing writing = Writing::as_files_allow);
  /// Adds a layer that was opened on top().
  void push(std::string format, OpenLayer layer);

  std::shared_ptr<block::BlockTarget> top() const;
  /// A line about damage that was read, corrected or not; empty without damage.
  std::string summary() const;
  /// The counters of its layers, as the status server sends them: {"pid", "layers": [{"format",
  /// ...}]}, the lowest first. Thread-safe.
  Json status() const;
  /// Whether any layer has counters.
  bool has_status() const;
  /// The file whose identity names the status socket: the one with the lowest layer's metadata.
  const File& known_by() const;
  /// Makes everything written durable and closes all layers, the top first, even after an error;
  /// the first error is returned. Nothing may be written during the call or after it. A stack that
  /// is destroyed without close() leaves the state of a crash.
  Result<void> close();

 private:
  struct Part {
    std::string format;
    OpenLayer layer;
  };
  File file_;
  std::vector<Part> parts_;  // the lowest first
};

/// Opens all layers, and checks what can be checked without reading everything: layouts, sizes, the
/// root hash. Errors are those of each layer; limit: more than kMaxLayers.
Result<Stack> open(const Volume& volume, const Events& events,
                   Writing writing = Writing::as_files_allow);

}  // namespace intact::stack
