#include "seccomp_profile.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/run/bundle.h>

namespace intact::run {
namespace {

constexpr const char* kPeer = "/usr/share/containers/seccomp.json";

const std::set<std::string> kOurs(kCapabilities.begin(), kCapabilities.end());

/// What happens to each call: its rules ("ALLOW", "ERRNO 1") with their conditions. Of two rules
/// for all arguments of a call the one that allows stands, as libseccomp has it.
using Rules = std::map<std::string, std::set<std::string>>;

void add_rule(Rules& rules, const std::string& name, const Json& rule) {
  std::string text = rule.at("action").get<std::string>();
  if (text == "SCMP_ACT_ERRNO") text += " " + std::to_string(rule.at("errnoRet").get<int>());
  const auto arguments = rule.find("args");
  if (arguments != rule.end() && arguments->is_array())
    for (const auto& argument : *arguments)
      text += " " + std::to_string(argument.at("index").get<int>()) + " " +
              argument.at("op").get<std::string>() + " " +
              std::to_string(argument.at("value").get<std::uint64_t>());
  auto& all = rules[name];
  if (all.contains("SCMP_ACT_ALLOW")) return;
  if (text == "SCMP_ACT_ALLOW") all.clear();
  all.insert(text);
}

Rules rules_of(const Json& profile) {
  Rules rules;
  for (const auto& rule : profile.at("syscalls"))
    for (const auto& name : rule.at("names")) add_rule(rules, name.get<std::string>(), rule);
  return rules;
}

/// The peer's file as it applies to a process: rules with conditions on capabilities and machines.
Rules peer_rules(const Json& file, const std::set<std::string>& capabilities,
                 const std::set<std::string>& machines) {
  const auto any_of = [](const Json& rule, const char* part, const char* key,
                         const std::set<std::string>& have) -> int {
    const auto conditions = rule.find(part);
    if (conditions == rule.end() || !conditions->contains(key)) return -1;
    for (const auto& item : conditions->at(key))
      if (have.contains(item.get<std::string>())) return 1;
    return 0;
  };
  Rules rules;
  for (const auto& rule : file.at("syscalls")) {
    if (any_of(rule, "includes", "caps", capabilities) == 0) continue;
    if (any_of(rule, "includes", "arches", machines) == 0) continue;
    if (any_of(rule, "excludes", "caps", capabilities) == 1) continue;
    for (const auto& name : rule.at("names")) add_rule(rules, name.get<std::string>(), rule);
  }
  return rules;
}

TEST(SeccompProfile, EqualsPodmansDefault) {
  const auto text = read_file(kPeer, 1024 * 1024);
  if (!text) GTEST_SKIP() << kPeer << " (golang-github-containers-common) is not installed";
  const auto file = parse_json(*text);
  ASSERT_TRUE(file);
  const std::set<std::string> none, audit = {"CAP_AUDIT_WRITE", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"};
  for (const auto& capabilities : {kOurs, none, audit}) {
    EXPECT_EQ(rules_of(seccomp_profile(capabilities, "x86_64")),
              peer_rules(*file, capabilities, {"amd64"}));
    EXPECT_EQ(rules_of(seccomp_profile(capabilities, "aarch64")),
              peer_rules(*file, capabilities, {"arm64"}));
  }
  EXPECT_EQ(seccomp_profile(kOurs, "x86_64").at("defaultErrnoRet"), file->at("defaultErrnoRet"));
  EXPECT_EQ(seccomp_profile(kOurs, "x86_64").at("defaultAction"), file->at("defaultAction"));
}

TEST(SeccompProfile, KnowsItsMachines) {
  const Json x86 = seccomp_profile(kOurs, "x86_64");
  EXPECT_EQ(x86.at("architectures"),
            Json::array({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
  EXPECT_TRUE(rules_of(x86).contains("arch_prctl"));
  const Json arm = seccomp_profile(kOurs, "aarch64");
  EXPECT_EQ(arm.at("architectures"), Json::array({"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}));
  EXPECT_FALSE(rules_of(arm).contains("arch_prctl"));
  EXPECT_FALSE(seccomp_profile(kOurs, "riscv64").contains("architectures"));
}

TEST(SeccompProfile, CapabilitiesOpenCalls) {
  using Set = std::set<std::string>;
  EXPECT_EQ(rules_of(seccomp_profile({}, "x86_64")).at("chroot"), Set{"SCMP_ACT_ERRNO 1"});
  EXPECT_EQ(rules_of(seccomp_profile(kOurs, "x86_64")).at("chroot"), Set{"SCMP_ACT_ALLOW"});
  EXPECT_EQ(rules_of(seccomp_profile(kOurs, "x86_64")).at("init_module"), Set{"SCMP_ACT_ERRNO 1"});
  EXPECT_EQ(rules_of(seccomp_profile(kOurs, "x86_64")).at("personality").size(), 5u);
  EXPECT_FALSE(rules_of(seccomp_profile(kOurs, "x86_64")).contains("io_uring_setup"));
}

}  // namespace
}  // namespace intact::run
