#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/block/file_target.h>
#include <intact/verity/volume.h>

namespace intact::stack {

/// A file or block device that a stack stands on. One that is used in several places is the same
/// object in all of them.
using File = std::shared_ptr<block::FileTarget>;

/// A dm-verity volume and how it is to be read: all that is needed to open it, in this process or,
/// with its files, in another one.
struct VerityVolume {
  verity::Layout layout;
  Bytes root;  ///< the trusted root hash
  File data;
  File hash;
  File fec = {};     ///< if the layout has FEC
  std::string name;  ///< what the log calls the volume
  verity::OnCorruption on_corruption = verity::OnCorruption::error;
  bool ignore_zero_blocks = false;
  bool check_at_most_once = false;
};

/// Whom an open stack tells things. Called by reading threads, several at once.
struct Events {
  std::function<void(std::string_view line)> log;  ///< of damage, one line
  std::function<void()> stop = {};  ///< damage was met, and no read will be answered any more
};

/// An open stack. The target is thread-safe and may be shared with front ends.
class Stack {
 public:
  explicit Stack(std::shared_ptr<const verity::VerityTarget> top) : top_(std::move(top)) {}

  const std::shared_ptr<const verity::VerityTarget>& top() const { return top_; }
  /// A line on what was mended and what was beyond it; empty if there was no damage.
  std::string summary() const;

 private:
  std::shared_ptr<const verity::VerityTarget> top_;
};

/// Checks the layout, the sizes and the root hash. Errors as of verity::open.
Result<Stack> open(const VerityVolume& volume, const Events& events);

/// A description for another process, and the descriptors that it names by number: at least
/// kFirstDescriptor, kept open by exec. The process must inherit them as they are.
struct Handover {
  std::string description;  ///< JSON
  std::vector<UniqueFd> descriptors;
};
inline constexpr int kFirstDescriptor = 10;
Result<Handover> hand_over(const VerityVolume& volume);

/// The other end of hand_over(): takes over the descriptors, each for itself even after an error.
/// malformed.
Result<VerityVolume> take_over(std::string_view description);

}  // namespace intact::stack
