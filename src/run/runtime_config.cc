// Everything of config.json is decided in the bundle; here it is written down.
#include <array>
#include <set>
#include <string>

#include <intact/run/bundle.h>
#include <intact/run/seccomp_profile.h>

namespace intact::run {
namespace {

constexpr std::uint64_t kMostResources = 1'048'576;  // podman's limit of files and processes

// As podman 4.3: what tells about or steers the host.
constexpr std::array<std::string_view, 11> kMaskedPaths = {
    "/proc/acpi",       "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
    "/sys/firmware",    "/sys/fs/selinux",   "/sys/dev/block"};
constexpr std::array<std::string_view, 6> kReadOnlyPaths = {
    "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

template <typename Array>
Json strings(const Array& array) {
  Json list = Json::array();
  for (const auto& item : array) list.push_back(std::string(item));
  return list;
}

Json rlimit(const char* type, std::uint64_t most) {
  const std::uint64_t value = std::min(most, kMostResources);
  return {{"type", type}, {"hard", value}, {"soft", value}};
}

Json process_json(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  Json user = {{"uid", bundle.user.uid}, {"gid", bundle.user.gid}};
  Json groups = Json::array();
  for (const auto group : bundle.user.groups)
    if (runtime == RuntimeKind::runsc || (host.setgroups_allowed && contains(host.gids, group)))
      groups.push_back(group);
  if (!groups.empty()) user["additionalGids"] = std::move(groups);

  // Who is not root has no capability; the bounding set is only what a set-user-id program could
  // gain, which noNewPrivileges forbids too. Nothing is inheritable or ambient.
  const Json all = strings(kCapabilities);
  const Json own = bundle.user.uid == 0 ? all : Json::array();
  return {{"terminal", bundle.terminal},
          {"user", std::move(user)},
          {"args", bundle.arguments},
          {"env", bundle.environment},
          {"cwd", bundle.working_dir},
          {"capabilities",
           {{"bounding", all},
            {"effective", own},
            {"permitted", own},
            {"inheritable", Json::array()},
            {"ambient", Json::array()}}},
          {"rlimits", Json::array({rlimit("RLIMIT_NOFILE", host.max_open_files),
                                   rlimit("RLIMIT_NPROC", host.max_processes)})},
          {"noNewPrivileges", true}};
}

Json linux_json(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  Json namespaces = Json::array();
  const auto separate = [&](const char* type) { namespaces.push_back({{"type", type}}); };
  for (const char* type : {"pid", "mount", "ipc", "uts"}) separate(type);
  if (bundle.network == Network::none) separate("network");
  Json json;
  // The rest means nothing to runsc: it is a kernel of its own with own /proc and /sys, and its
  // process on the host has a filter of its own.
  if (runtime != RuntimeKind::runsc) {
    if (host.cgroup_namespaces) separate("cgroup");
    const std::set<std::string> capabilities(kCapabilities.begin(), kCapabilities.end());
    json["seccomp"] = seccomp_profile(capabilities, host.machine);
    json["maskedPaths"] = strings(kMaskedPaths);
    json["readonlyPaths"] = strings(kReadOnlyPaths);
    if (!host.user_namespace) {
      json["cgroupsPath"] = "/" + bundle.id;
      json["resources"] = {{"devices", Json::array({{{"allow", false}, {"access", "rwm"}}})}};
    }
  }
  json["namespaces"] = std::move(namespaces);
  return json;
}

}  // namespace

Json make_config(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  Json mounts = Json::array();
  for (const auto& mount : bundle.mounts)
    mounts.push_back({{"destination", mount.destination},
                      {"type", mount.type},
                      {"source", mount.source},
                      {"options", mount.options}});
  return {{"ociVersion", "1.0.2"},
          {"process", process_json(bundle, runtime, host)},
          {"root", {{"path", "rootfs"}, {"readonly", bundle.read_only}}},
          {"hostname", bundle.hostname},
          {"mounts", std::move(mounts)},
          {"linux", linux_json(bundle, runtime, host)}};
}

}  // namespace intact::run
