#include "probers.h"

#include <intact/integrity/probe.h>
#include <intact/verity/probe.h>

namespace intact::stack {
namespace {

/// A new one is one line here. dm-verity comes first: its data begin like what is in them.
constexpr const dm::Prober* kProbers[] = {
    &verity::kProber,
    &integrity::kProber,
};

}  // namespace

std::span<const dm::Prober* const> probers() {
  return kProbers;
}

}  // namespace intact::stack
