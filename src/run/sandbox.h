#pragma once

#include <string>
#include <utility>

#include <intact/base/result.h>
#include <intact/run/bundle.h>

namespace intact::run {

/// Whether this process may make namespaces without a user namespace of its own.
bool is_privileged();

/// Moves the calling process into a mount namespace that passes nothing on to others and nothing
/// in, and its future children into a process namespace; with `user_namespace` (which must have
/// been made and mapped) that one owns them. unsupported says what the system refuses.
Result<void> make_private_namespaces();

/// For the first process of the process namespace: a /proc that fits, and the second hierarchy of
/// control groups out of the way where the host has both kinds, which crun refuses.
Result<void> prepare_private_mounts(bool user_namespace);

/// Takes away what a runtime that was killed leaves behind of control groups.
void remove_cgroups(const std::string& container_id);

/// What plan_bundle() needs to know about here, from inside.
Result<HostFacts> collect_host_facts(bool user_namespace);

/// A directory that is covered by a tmpfs of ours, mode 0700, in this mount namespace: nothing that
/// is put there can be seen from outside or survives us. The directory itself stays and is used
/// by every run of this account. `uid`: of the account, in the numbers of the host.
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
