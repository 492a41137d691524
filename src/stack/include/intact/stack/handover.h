#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/stack/volume.h>

namespace intact::stack {

/// A description for another process, and the descriptors that it names by number: at least
/// kFirstDescriptor, kept open by exec. The process must inherit them as they are. Secrets are not
/// in the description: each waits in a pipe of its own, to be read once.
struct Handover {
  std::string description;  ///< JSON
  std::vector<UniqueFd> descriptors;
};
inline constexpr int kFirstDescriptor = 10;
Result<Handover> hand_over(const Volume& volume);

/// The other end of hand_over(): takes over the descriptors, each for itself even after an error.
/// malformed.
Result<Volume> take_over(std::string_view description);

}  // namespace intact::stack
