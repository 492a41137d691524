#pragma once

#include <memory>

#include <intact/base/result.h>
#include <intact/dm/prober.h>
#include <intact/stack/discover.h>

namespace intact::stack {

/// What the user said about the volumes that were not found yet.
class Said {
 public:
  explicit Said(const Credentials& credentials) : left_(credentials) {}

  /// Null: nothing, or the volume was found.
  const dm::Credentials* about(const dm::Prober& prober) const;
  void found(const dm::Prober& prober);
  const Credentials& left() const { return left_; }

 private:
  Credentials left_;
};

struct Found {
  const dm::Prober* prober = nullptr;  ///< null: no prober knows it
  std::shared_ptr<const dm::Header> header = {};
};

/// Asks all probers in turn. A device whose beginning fails its check is one that none knows,
/// unless the user says that there is a volume.
Result<Found> find_volume(dm::Candidate& candidate, const Said& said);

}  // namespace intact::stack
