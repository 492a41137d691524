#include "suggestion.h"

#include <algorithm>

namespace intact::console {
namespace {

constexpr std::size_t kMaxWord = 64;

/// Damerau and Levenshtein's distance, with swaps of neighbours only.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> closest_word(std::string_view typed,
                                        const std::vector<std::string>& candidates) {
  if (typed.size() < 2 || typed.size() > kMaxWord) return std::nullopt;
  const std::size_t letters = typed.size() - std::min(typed.find_first_not_of('-'), typed.size());
  const std::size_t tolerance = letters <= 3 ? 1 : letters <= 6 ? 2 : 3;
  std::size_t best = tolerance + 1;
  std::vector<std::string> found;
  for (const std::string& candidate : candidates) {
    const bool begins = letters >= 3 && candidate.starts_with(typed);
    const std::size_t errors = begins ? 1 : distance(typed, candidate);
    if (errors > best || errors >= candidate.size()) continue;
    if (errors < best) found.clear();
    best = errors;
    found.push_back(candidate);
  }
  if (found.size() != 1 || best > tolerance) return std::nullopt;
  return found.front();
}

}  // namespace intact::console
