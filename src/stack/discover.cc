#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <intact/stack/discover.h>
#include <intact/stack/stack.h>

#include "opened.h"
#include "search.h"
#include "signatures.h"

namespace intact::stack {
namespace {

class Discovery {
 public:
  Discovery(const std::string& name, dm::File file, const Credentials& credentials, Writing writing)
      : name_(name),
        said_(credentials),
        plan_{.name = name, .file = std::move(file)},
        opened_(std::make_shared<Opened>(Stack(plan_.file), EarlyEvents(), writing)),
        place_(name) {}

  Result<Plan> run() {
    for (;;) {
      dm::Candidate candidate(opened_->stack.top(), file_system_size);
      const Found found = TRY(find_volume(candidate, said_));
      if (found.prober == nullptr) {
        TRY(check_all_were_found(nullptr));
        TRY(check_content(candidate));
        if (!plan_.tables.empty()) plan_.opened = std::move(opened_);
        return std::move(plan_);
      }
      TRY(add(found, candidate));
    }
  }
  const std::optional<Error>& doubt() const { return doubt_; }

 private:
  Result<void> add(const Found& found, dm::Candidate& candidate);
  Result<void> check_all_were_found(dm::Candidate* candidate) const;
  Result<void> check_content(dm::Candidate& candidate) const;
  Error refuse(std::string_view title, std::string_view advice) const;

  const std::string& name_;
  Said said_;
  std::vector<const dm::Prober*> around_;
  Plan plan_;
  std::shared_ptr<Opened> opened_;
  std::optional<Error> doubt_;  // why writing is refused
  std::string place_;           // the file, and what is around: "disk.img (in dm-verity)"
};

/// Adds the tables of a volume and opens them, to see what is in it.
Result<void> Discovery::add(const Found& found, dm::Candidate& candidate) {
  const dm::Prober& prober = *found.prober;
  if (!prober.nested_refusal.empty() && std::ranges::find(around_, &prober) != around_.end())
    return refuse(prober.title, prober.nested_refusal);
  const std::size_t below = plan_.tables.size();
  auto step =
      prober.plan({.header = *found.header,
                   .below = candidate.device(),
                   .word = TRY(plan_.top()),
                   .tables = below,
                   .names = plan_.names,
                   .said = said_.about(prober),
                   .name = below == 0 ? name_ : fmt::format("{}, layer {}", name_, below + 1),
                   .place = place_});
  if (!step) {
    // What the user expects instead may be missing.
    if (prober.needs_credentials && step.error().kind() == ErrorKind::invalid_argument) {
      said_.found(prober);
      TRY(check_all_were_found(&candidate));
    }
    return std::move(step).error();
  }
  said_.found(prober);
  around_.push_back(&prober);
  const dm::Header* header = found.header.get();  // of the first table
  for (dm::Table& table : step->tables) {
    plan_.add(std::move(table));
    TRY(opened_->stack.open(plan_.tables.back(), plan_.names, name_, opened_->events.events(),
                            opened_->writing, std::exchange(header, nullptr)));
  }
  if (!doubt_) doubt_ = std::move(step->doubt);
  std::ranges::move(step->warnings, std::back_inserter(plan_.warnings));
  place_ = fmt::format("{} (in {})", name_, prober.title);
  return {};
}

/// What says how to check a layer must not be ignored because the layer is missing. What the
/// candidate seems to contain, if there is one, is not missing.
Result<void> Discovery::check_all_were_found(dm::Candidate* candidate) const {
  for (const auto& credentials : said_.left()) {
    if (candidate != nullptr) {
      const auto header = credentials->prober().probe(*candidate, credentials.get());
      if (header && *header) continue;
    }
    TRY(credentials->missing(name_));
  }
  return {};
}

/// Only disk images are opened. What cannot be read is unknown.
Result<void> Discovery::check_content(dm::Candidate& candidate) const {
  const auto begin = candidate.begin();
  if (!begin && begin.error().kind() == ErrorKind::tampered) return {};
  if (!begin) return Error(begin.error());
  const auto found = find_signature(*begin);
  if (found && found->refusal != nullptr) return refuse(found->content.title, found->refusal);
  return {};
}

Error Discovery::refuse(std::string_view title, std::string_view advice) const {
  const std::string as_it_is =
      around_.empty()
          ? "or pass --format raw to open the file as it is"
          : fmt::format("or open only the outer layer with `intact {} open`", around_[0]->name);
  return {ErrorKind::unsupported, fmt::format("{}: {} {}, {}", place_, title, advice, as_it_is)};
}

}  // namespace

Result<Plan> discover(const std::string& name, dm::File file, const Credentials& credentials,
                      block::Access access, Writing writing) {
  Discovery discovery(name, std::move(file), credentials,
                      writing == Writing::by_kernel ? writing : Writing::never);
  Plan plan = TRY(discovery.run());
  if (access == block::Access::read_only || TRY(is_read_only(plan))) return plan;
  if (discovery.doubt()) return Error(*discovery.doubt());
  // The very file that was probed, which has been locked since.
  TRY(plan.file->make_writable().context(name));
  return plan;
}

}  // namespace intact::stack
