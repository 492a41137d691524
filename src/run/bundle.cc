#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <intact/run/bundle.h>

#include "bundle_mounts.h"
#include "tree_path.h"

namespace intact::run {
namespace {

constexpr std::uint64_t kMaxAccountFile = 4 * 1024 * 1024;  // /etc/passwd, /etc/group: bytes

Result<std::string> account_file(const tree::FileTree& tree, std::string_view path) {
  auto text = read_text(tree, path, kMaxAccountFile);
  if (!text && text.error().kind() == ErrorKind::not_found) return std::string();
  return text;
}

Result<std::string> working_directory(const ProcessImage& image, const RunOptions& options) {
  const std::string& wanted = options.working_dir.empty() ? image.working_dir : options.working_dir;
  if (wanted.find('\0') != std::string::npos || wanted.size() > 4096)
    return Error(ErrorKind::malformed, "the working directory is not a valid path");
  if (!options.working_dir.empty() && wanted.front() != '/')
    return Error(ErrorKind::invalid_argument,
                 "working directory \"" + wanted + "\": not an absolute path");
  std::string path = std::filesystem::path("/" + wanted).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  while (path.starts_with("//")) path.erase(0, 1);
  return path;
}

Result<void> check_limits(const Limits& limits, const HostFacts& host) {
  if (!host.user_namespace) return {};
  const char* option = limits.memory      ? "--memory"
                       : limits.cpu_quota ? "--cpus"
                       : limits.pids      ? "--pids-limit"
                                          : nullptr;
  if (!option) return {};
  return Error(ErrorKind::unsupported,
               std::string(option) +
                   ": this user may not use control groups; run as root, or start "
                   "`intact` with `systemd-run --user --scope -p "
                   "MemoryMax=... -p CPUQuota=... -p TasksMax=...`");
}

Result<void> check_hostname(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 64 &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return std::isalnum(c) || c == '-' || c == '.' || c == '_';
                    });
  if (good) return {};
  return Error(ErrorKind::invalid_argument,
               "host name \"" + name +
                   "\": only letters, digits, \"-\", \".\" and \"_\" are allowed, at most 64");
}

}  // namespace

bool contains(const std::vector<IdRange>& ranges, std::uint32_t id) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const IdRange& range) {
    return id >= range.container && id - range.container < range.size;
  });
}

Result<Bundle> plan_bundle(const tree::FileTree& tree, const ProcessImage& image,
                           const RunOptions& options, const HostFacts& host, std::string id) {
  Bundle bundle;
  bundle.id = std::move(id);
  bundle.terminal = options.terminal;
  bundle.init = options.init;
  TRY(check_limits(options.limits, host));
  bundle.limits = options.limits;
  bundle.tmpfs_size = options.tmpfs_size;
  bundle.capabilities = TRY(choose_capabilities(options.cap_add, options.cap_drop));
  bundle.read_only = !options.writable;
  bundle.network = options.network;
  bundle.hostname =
      options.hostname.empty() ? bundle.id.substr(bundle.id.rfind('-') + 1) : options.hostname;
  TRY(check_hostname(bundle.hostname));
  const std::string passwd = TRY(account_file(tree, "/etc/passwd"));
  const std::string group = TRY(account_file(tree, "/etc/group"));
  bundle.user = TRY(find_user(options.user.empty() ? image.user : options.user, passwd, group));
  bundle.own_capabilities = bundle.user.uid == 0
                                ? bundle.capabilities
                                : TRY(added_capabilities(options.cap_add, bundle.capabilities));
  bundle.arguments = TRY(make_arguments(image, options));
  bundle.environment =
      TRY(make_environment(image, options, bundle.user.home, bundle.hostname, host.getenv));
  bundle.working_dir = TRY(working_directory(image, options));
  TRY(plan_mounts(tree, image, options, host, bundle));
  return bundle;
}

Result<void> check_runtime(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host) {
  if (runtime == RuntimeKind::runsc) {
    // Its process 1 has no special protection from signals, which is what an init is mostly for;
    // and nothing can be mounted in its /dev.
    if (bundle.init)
      return Error(
          ErrorKind::unsupported,
          "--init: not available with runsc, under which signals end process 1 without it; "
          "leave it out, or pass --runtime crun");
    if (!bundle.limits.any()) return {};
    return Error(ErrorKind::unsupported,
                 "--memory, --cpus and --pids-limit: not available with runsc");
  }
  const bool user = contains(host.uids, bundle.user.uid);
  if (user && contains(host.gids, bundle.user.gid)) return {};
  return Error(ErrorKind::unsupported,
               fmt::format("{} {} of the container: this account has no such id to map; install "
                           "uidmap and add ranges to /etc/subuid and /etc/subgid, or pass --user 0",
                           user ? "group" : "user", user ? bundle.user.gid : bundle.user.uid));
}

}  // namespace intact::run
