#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace intact::image {

/// Told now and then how far the present step of some work has come, in bytes. A total of 0: nobody
/// knows. `step` is a phrase such as "Unpacking" with static storage. May be called from any
/// thread, from one at a time.
using Progress =
    std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)>;

}  // namespace intact::image
