#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/stack/volume.h>

namespace intact::stack {

/// A description for another process, and the descriptors that it names by number, which are at
/// least kFirstDescriptor. The process must inherit them under the same numbers. They are marked
/// close-on-exec, so that no other program sees them: clear that right before the exec that passes
/// them on. Secrets are not in the description: each is in a pipe of its own, to be read once.
struct Handover {
  std::string description;  ///< JSON
  std::vector<UniqueFd> descriptors;
};
inline constexpr int kFirstDescriptor = 10;
Result<Handover> hand_over(const Volume& volume);

/// The other end of hand_over(): takes ownership of the descriptors that it reaches, even if it
/// then fails. malformed.
Result<Volume> take_over(std::string_view description);

}  // namespace intact::stack
