#include <cerrno>
#include <chrono>
#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>
#include <intact/base/trusted_file.h>
#include <intact/sign/policy.h>

namespace intact::sign {
namespace {

constexpr std::uint64_t kMaxPolicySize = 4 * 1024 * 1024;  // bytes
constexpr std::string_view kSystemPolicy = "/etc/intact/policy.json";
constexpr std::chrono::seconds kLockPatience(10);

/// Nothing without a home directory. Relative XDG paths are to be ignored, says their
/// specification.
std::optional<std::string> user_policy_file() {
  const char* const config = std::getenv("XDG_CONFIG_HOME");
  if (config && config[0] == '/') return std::string(config) + "/intact/policy.json";
  const char* const home = std::getenv("HOME");
  if (home && home[0] == '/') return std::string(home) + "/.config/intact/policy.json";
  return std::nullopt;
}

/// The first part of the path of a file that would have to be a directory and is not.
std::string obstacle(const std::string& file) {
  std::size_t slash = file.find('/', 1);
  for (; slash != std::string::npos; slash = file.find('/', slash + 1)) {
    struct stat st;
    if (::stat(file.substr(0, slash).c_str(), &st) == 0 && !S_ISDIR(st.st_mode)) break;
  }
  return file.substr(0, slash);
}

}  // namespace

Result<Policy> Policy::load(const std::string& file) {
  auto opened = open_trusted_file(file, TrustedOwner::root_or_self).context("trust policy");
  if (!opened && opened.error().sys_errno() == ENOTDIR)
    return Error(ErrorKind::io,
                 "trust policy: " + obstacle(file) +
                     ": a file, not the directory of the policy; move it away, or pass --policy",
                 ENOTDIR);
  const UniqueFd fd = TRY(std::move(opened));
  const Bytes text = TRY(read_fd(fd.get(), kMaxPolicySize).context("trust policy: " + file));
  return parse(text).context("trust policy: " + file);
}

Result<Policy> Policy::load_default() {
  // A revocation must not be bypassed by calling a command without the variables that lead to it.
  // Root's own rules are in the policy of the machine.
  if (::geteuid() != 0 && !user_policy_file())
    return Error(
        ErrorKind::invalid_argument,
        "trust policy: neither HOME nor XDG_CONFIG_HOME is an absolute path, so the policy "
        "of this user is not known; set HOME, or pass --policy FILE");
  Policy policy;
  for (const std::string& file : default_policy_files()) {
    auto loaded = load(file);
    if (loaded) {
      policy.append(std::move(*loaded));
    } else if (loaded.error().kind() != ErrorKind::not_found &&
               loaded.error().sys_errno() != ENOTDIR) {
      // A file that cannot be read may hold a revocation.
      return std::move(loaded).error();
    }
  }
  return policy;
}

std::vector<std::string> default_policy_files() {
  std::vector<std::string> files{std::string(kSystemPolicy)};
  if (auto user = user_policy_file()) files.push_back(std::move(*user));
  return files;
}

Result<std::string> default_policy_file_to_edit() {
  if (::geteuid() == 0) return std::string(kSystemPolicy);
  if (auto user = user_policy_file()) return *std::move(user);
  return Error(ErrorKind::invalid_argument,
               "trust policy: neither XDG_CONFIG_HOME nor HOME is set; pass --policy FILE");
}

Result<void> edit_policy(const std::string& file,
                         const std::function<Result<void>(Policy&)>& change) {
  const std::size_t slash = file.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : file.substr(0, slash);
  const std::string name = file.substr(slash == std::string::npos ? 0 : slash + 1);
  if (parent != "." && parent != "/") TRY(make_directories(parent));
  const UniqueFd directory = TRY(open_trusted_directory(parent).context("trust policy"));
  // Not the policy itself, which every change replaces.
  const LockFile lock = TRY(LockFile::take(file + ".lock", kLockPatience));
  Policy policy;
  auto loaded = Policy::load(file);
  if (loaded) {
    policy = std::move(*loaded);
  } else if (loaded.error().kind() != ErrorKind::not_found) {
    return std::move(loaded).error();
  }
  TRY(change(policy));
  return write_file_durably_at(directory.get(), name, as_bytes(policy.to_text()), 0644)
      .context("trust policy: " + file);
}

Result<std::string> choose_policy_file(const std::optional<std::string>& file) {
  if (!file) return default_policy_file_to_edit();
  if (file->empty()) return Error(ErrorKind::invalid_argument, "--policy: the file name is empty");
  return *file;
}

Result<std::vector<PolicyFile>> load_policies(const std::optional<std::string>& file) {
  std::vector<PolicyFile> all;
  if (file) {
    const std::string name = TRY(choose_policy_file(file));
    all.push_back({name, TRY(Policy::load(name))});
    return all;
  }
  for (const std::string& name : default_policy_files()) {
    auto policy = Policy::load(name);
    if (policy) {
      all.push_back({name, *std::move(policy)});
    } else if (policy.error().kind() != ErrorKind::not_found) {
      return std::move(policy).error();
    }
  }
  return all;
}

}  // namespace intact::sign
