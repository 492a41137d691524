#include <array>
#include <cctype>

#include <intact/run/bundle.h>
#include <intact/run/options.h>

namespace intact::run {
namespace {

constexpr std::array<std::string_view, 41> kKnown = {
    "CAP_AUDIT_CONTROL",   "CAP_AUDIT_READ",   "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",   "CAP_BPF",          "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",           "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",          "CAP_FSETID",       "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",       "CAP_KILL",         "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN",    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",           "CAP_NET_ADMIN",    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",   "CAP_NET_RAW",      "CAP_PERFMON",
    "CAP_SETFCAP",         "CAP_SETGID",       "CAP_SETPCAP",
    "CAP_SETUID",          "CAP_SYSLOG",       "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",        "CAP_SYS_CHROOT",   "CAP_SYS_MODULE",
    "CAP_SYS_NICE",        "CAP_SYS_PACCT",    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",       "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",  "CAP_WAKE_ALARM"};

constexpr std::string_view kAll = "CAP_ALL";

/// The names in the values of an option, as "CAP_NAME"; kAll stands for "ALL".
Result<std::set<std::string>> parse_names(std::string_view option,
                                          const std::vector<std::string>& values) {
  std::set<std::string> names;
  for (const std::string& value : values) {
    for (std::string_view rest = value;;) {
      const auto comma = rest.find(',');
      std::string name;
      for (const char c : rest.substr(0, comma))
        name.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
      if (!name.starts_with("CAP_")) name.insert(0, "CAP_");
      if (name != kAll && std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
        return Error(ErrorKind::invalid_argument, std::string(option) + " " +
                                                      std::string(rest.substr(0, comma)) +
                                                      ": unknown capability");
      names.insert(std::move(name));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return names;
}

}  // namespace

Result<std::set<std::string>> choose_capabilities(const std::vector<std::string>& add,
                                                  const std::vector<std::string>& drop) {
  std::set<std::string> added = TRY(parse_names("--cap-add", add));
  std::set<std::string> dropped = TRY(parse_names("--cap-drop", drop));
  for (const auto& name : added)
    if (dropped.contains(name))
      return Error(ErrorKind::invalid_argument, name + ": both added and dropped");
  std::set<std::string> chosen(kCapabilities.begin(), kCapabilities.end());
  if (dropped.contains(std::string(kAll))) chosen.clear();
  if (added.contains(std::string(kAll))) chosen.insert(kKnown.begin(), kKnown.end());
  for (const auto& name : dropped) chosen.erase(name);
  for (const auto& name : added)
    if (name != kAll) chosen.insert(name);
  return chosen;
}

Result<std::set<std::string>> added_capabilities(const std::vector<std::string>& add,
                                                 const std::set<std::string>& chosen) {
  std::set<std::string> added = TRY(parse_names("--cap-add", add));
  if (added.contains(std::string(kAll))) return chosen;
  return added;
}

}  // namespace intact::run
