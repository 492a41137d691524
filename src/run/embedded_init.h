#pragma once

#include <string_view>

namespace intact::run {

/// The program of `run --init` and of the hook that guards the root (container_init/init.cc), a
/// static executable for this machine.
std::string_view embedded_init();

}  // namespace intact::run
