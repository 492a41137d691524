// The bundle decides everything; here it is written as config.json.
#include <array>
#include <set>
#include <string>

#include <intact/run/bundle.h>

#include "seccomp_profile.h"

namespace intact::run {
namespace {

constexpr std::uint64_t kMaxResources = 1'048'576;  // podman's limit of files and processes

// As podman 5: what reveals something about the host or steers it.
constexpr std::array<std::string_view, 13> kMaskedPaths = {"/proc/acpi",
                                                           "/proc/interrupts",
                                                           "/proc/kcore",
                                                           "/proc/keys",
                                                           "/proc/latency_stats",
                                                           "/proc/sched_debug",
                                                           "/proc/scsi",
                                                           "/proc/timer_list",
                                                           "/proc/timer_stats",
                                                           "/sys/dev/block",
                                                           "/sys/devices/virtual/powercap",
                                                           "/sys/firmware",
                                                           "/sys/fs/selinux"};
constexpr std::array<std::string_view, 6> kReadOnlyPaths = {
    "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

template <typename Array>
Json strings(const Array& array) {
  Json list = Json::array();
  for (const auto& item : array) list.push_back(std::string(item));
  return list;
}

Json rlimit(const char* type, std::uint64_t most) {
  const std::uint64_t value = std::min(most, kMaxResources);
  return {{"type", type}, {"hard", value}, {"soft", value}};
}

Json process_json(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  Json user = {{"uid", bundle.user.uid}, {"gid", bundle.user.gid}};
  Json groups = Json::array();
  for (const auto group : bundle.user.groups)
    if (runtime == RuntimeKind::runsc || (host.setgroups_allowed && contains(host.gids, group)))
      groups.push_back(group);
  if (!groups.empty()) user["additionalGids"] = std::move(groups);

  // Control groups are not for ordinary users; where the kernel counts by namespace, the limit of
  // the account's processes does nearly the same.
  std::uint64_t processes = host.max_processes;
  if (host.user_namespace && host.counts_processes_by_namespace)
    processes = std::min(processes, kDefaultPids);

  // The bounding set is only what a set-user-id program could gain, which noNewPrivileges forbids
  // too.
  const Json all = strings(bundle.capabilities);
  const Json own = strings(bundle.own_capabilities);
  const Json ambient = bundle.user.uid == 0 ? Json::array() : own;
  Json arguments = strings(bundle.arguments);
  if (bundle.init) arguments.insert(arguments.begin(), std::string(kInitPath));
  Json process = {{"terminal", bundle.terminal},
                  {"user", std::move(user)},
                  {"args", std::move(arguments)},
                  {"env", bundle.environment},
                  {"cwd", bundle.working_dir},
                  {"capabilities",
                   {{"bounding", all},
                    {"effective", own},
                    {"permitted", own},
                    {"inheritable", ambient},
                    {"ambient", ambient}}},
                  {"rlimits", Json::array({rlimit("RLIMIT_NOFILE", host.max_open_files),
                                           rlimit("RLIMIT_NPROC", processes)})},
                  {"noNewPrivileges", true}};
  if (bundle.terminal && bundle.terminal_size.rows != 0 && bundle.terminal_size.columns != 0)
    process["consoleSize"] = {{"height", bundle.terminal_size.rows},
                              {"width", bundle.terminal_size.columns}};
  return process;
}

Json resources_json(const Limits& limits) {
  Json resources = {{"devices", Json::array({{{"allow", false}, {"access", "rwm"}}})}};
  const std::uint64_t pids = limits.pids.value_or(kDefaultPids);
  if (pids != 0) resources["pids"] = {{"limit", pids}};
  if (limits.memory) resources["memory"] = {{"limit", *limits.memory}};
  if (limits.cpu_quota) resources["cpu"] = {{"quota", *limits.cpu_quota}, {"period", 100'000}};
  return resources;
}

Json linux_json(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  Json namespaces = Json::array();
  const auto separate = [&](const char* type) { namespaces.push_back({{"type", type}}); };
  for (const char* type : {"pid", "mount", "ipc", "uts"}) separate(type);
  if (bundle.network == Network::none) separate("network");
  Json json;
  // The rest means nothing to runsc: it is a kernel with its own /proc and /sys, and its process on
  // the host has its own filter.
  if (runtime != RuntimeKind::runsc) {
    if (host.cgroup_namespaces) separate("cgroup");
    json["seccomp"] = seccomp_profile(bundle.capabilities, host.machine);
    Json masked = strings(kMaskedPaths);
    for (const auto& path : host.masked_paths) masked.push_back(path);
    json["maskedPaths"] = std::move(masked);
    Json read_only = strings(kReadOnlyPaths);
    // With control groups of version 1, runc leaves the directory of the hierarchies a writable
    // tmpfs without a limit. crun gives it one, and would make the hierarchies writable here.
    if (runtime == RuntimeKind::runc && host.mounts_cgroups) read_only.push_back("/sys/fs/cgroup");
    json["readonlyPaths"] = std::move(read_only);
    if (!host.user_namespace) {
      json["cgroupsPath"] = "/" + bundle.id;
      json["resources"] = resources_json(bundle.limits);
    }
  }
  json["namespaces"] = std::move(namespaces);
  return json;
}

/// The flags of the root are set after the runtime has bound it, and before the container runs.
/// runc would remove them again if it made the root read-only itself.
void guard_root(Json& config, const Bundle& bundle) {
  Json arguments = Json::array({"intact-guard-root", bundle.root_guard->root});
  if (bundle.read_only) arguments.push_back("ro");
  config["root"]["readonly"] = false;
  config["hooks"] = {{"createContainer", Json::array({{{"path", bundle.root_guard->program},
                                                       {"args", std::move(arguments)}}})}};
}

}  // namespace

Json make_config(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  Json mounts = Json::array();
  for (const auto& mount : bundle.mounts) {
    if (mount.content && mount.source.empty()) continue;
    if (mount.type == "cgroup" && runtime == RuntimeKind::runsc) continue;  // it has no limits
    Json options = strings(mount.options);
    // An extension of runc and crun. With runsc everything is staged by us.
    if (mount.copy_up && mount.type == "tmpfs" && runtime != RuntimeKind::runsc)
      options.push_back("tmpcopyup");
    mounts.push_back({{"destination", mount.destination},
                      {"type", mount.type},
                      {"source", mount.source},
                      {"options", std::move(options)}});
  }
  Json config = {{"ociVersion", "1.0.2"},
                 {"process", process_json(bundle, runtime, host)},
                 {"root", {{"path", "rootfs"}, {"readonly", bundle.read_only}}},
                 {"hostname", bundle.hostname},
                 {"mounts", std::move(mounts)},
                 {"linux", linux_json(bundle, runtime, host)}};
  // runsc keeps the image's devices and setuid files from the host by itself.
  if (bundle.root_guard && runtime != RuntimeKind::runsc) guard_root(config, bundle);
  return config;
}

}  // namespace intact::run
