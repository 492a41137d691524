#pragma once

#include <memory>
#include <string>
#include <vector>

#include <intact/dm/target.h>
#include <intact/stack/stack.h>

namespace intact::stack {

/// Keeps the events of devices until there is somebody to tell. Thread-safe.
class EarlyEvents {
 public:
  EarlyEvents();

  /// For opening devices, which may live longer than this object.
  dm::Events events() const;
  /// Passes on what was kept, and from now on everything at once.
  void pass_on_to(const dm::Events& events);

 private:
  struct Kept;
  std::shared_ptr<Kept> kept_;
};

/// The devices of a plan, open for reading only.
struct Opened {
  Stack stack;
  EarlyEvents events;
  Writing writing = Writing::never;  ///< or by_kernel, if it is the kernel that opens the plan
};

}  // namespace intact::stack
