#pragma once

#include <string>
#include <utility>

#include <intact/base/result.h>
#include <intact/run/bundle.h>

namespace intact::run {

/// Whether this process may make namespaces without a user namespace of its own.
bool is_privileged();

/// Moves the calling process into a mount namespace that exchanges no mounts with others, and its
/// future children into a process namespace; with `user_namespace` (which must have been made and
/// mapped) that one owns them. unsupported says what the system refuses.
Result<void> make_private_namespaces();

/// For the first process of the process namespace: mounts its /proc, and detaches the second
/// hierarchy of control groups where the host has both kinds, which crun refuses.
Result<void> prepare_private_mounts(bool user_namespace);

/// Removes the control groups that a runtime leaves when it is killed, or does not wait.
void remove_cgroups(const std::string& container_id);

/// What plan_bundle() needs to know about this machine, from inside the namespaces.
Result<HostFacts> collect_host_facts(bool user_namespace);

/// A directory with a private tmpfs on it, mode 0700, in this mount namespace: its contents cannot
/// be seen from outside and end with this process. The directory itself remains and is shared by
/// all runs of this account. `uid`: of the account, as the host numbers it.
Result<std::string> make_room(std::uint32_t uid);

/// crun in a user namespace also refuses hybrid control groups, and what the host mounted cannot be
/// unmounted there, only covered; the others want to see it. Does nothing on other hosts.
class CoveredCgroups {
 public:
  explicit CoveredCgroups(bool cover);
  CoveredCgroups(const CoveredCgroups&) = delete;
  CoveredCgroups& operator=(const CoveredCgroups&) = delete;
  ~CoveredCgroups();

 private:
  bool covered_ = false;
};

}  // namespace intact::run
