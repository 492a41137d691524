#pragma once

#include <span>

#include <intact/dm/prober.h>

namespace intact::stack {

/// All formats with a header. What may be around the others comes first.
std::span<const dm::Prober* const> probers();

}  // namespace intact::stack
