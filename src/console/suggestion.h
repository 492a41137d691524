#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace intact::console {

/// The word that was probably meant by `typed`: the candidate that is a few typing errors away
/// (a letter too many, too few, wrong, or two swapped) or that alone begins so; nothing if none or
/// several come as close.
std::optional<std::string> closest_word(std::string_view typed,
                                        const std::vector<std::string>& candidates);

}  // namespace intact::console
