#include "search.h"

#include <algorithm>

#include "probers.h"

namespace intact::stack {

const dm::Credentials* Said::about(const dm::Prober& prober) const {
  const auto found = std::ranges::find_if(
      left_, [&prober](const auto& credentials) { return &credentials->prober() == &prober; });
  return found == left_.end() ? nullptr : found->get();
}

void Said::found(const dm::Prober& prober) {
  std::erase_if(left_,
                [&prober](const auto& credentials) { return &credentials->prober() == &prober; });
}

Result<Found> find_volume(dm::Candidate& candidate, const Said& said) {
  for (const dm::Prober* const prober : probers()) {
    const dm::Credentials* const about = said.about(*prober);
    auto header = prober->probe(candidate, about);
    if (!header && header.error().kind() == ErrorKind::tampered && about == nullptr) continue;
    if (!header) return std::move(header).error();
    if (*header) return Found{.prober = prober, .header = *std::move(header)};
  }
  return Found{};
}

}  // namespace intact::stack
