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
  /// The file as it is.
  explicit Stack(File file) : file_(std::move(file)) {}

  /// Opens a layer on top(); the stack stays as it is if that fails. `name` is that of the volume.
  /// limit: kMaxLayers are there.
  Result<void> open(const AnyLayer& layer, const std::string& name, const Events& events,
                    Writing writing = Writing::as_files_allow);
  /// Puts a layer on top that was opened on top().
  void push(std::string format, OpenLayer layer);

  std::shared_ptr<block::BlockTarget> top() const;
  /// A line on what was mended and what was beyond it; empty if there was no damage.
  std::string summary() const;
  /// What its layers count, for those who ask its server: {"pid", "layers": [{"format", ...}]}, the
  /// lowest first. By any thread.
  Json status() const;
  /// Whether a layer counts anything.
  bool has_status() const;
  /// By which those who ask know the stack: where its lowest layer has its metadata.
  const File& known_by() const;
  /// Makes all that was written durable and leaves the layers as those that were closed, the top
  /// first, all of them even after an error; the first error is returned. Nothing may be written
  /// during it and afterwards. A stack that goes without it is what a crash leaves.
  Result<void> close();

 private:
  struct Part {
    std::string format;
    OpenLayer layer;
  };
  File file_;
  std::vector<Part> parts_;  // the lowest first
};

/// Checks all that can be checked without reading all: layouts, sizes, the root hash. Errors as of
/// the open of each layer; limit: more than kMaxLayers.
Result<Stack> open(const Volume& volume, const Events& events,
                   Writing writing = Writing::as_files_allow);

}  // namespace intact::stack
