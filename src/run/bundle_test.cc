#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/run/bundle.h>

#include "directory_tree.h"
#include "program.h"

namespace intact::run {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"etc", "tmp", "run", "var/tmp", "usr/bin", "proc", "dev", "sys", "data"})
      fs::create_directories(root_.path(name));
    fs::create_symlink("usr/bin", root_.path("bin"));
    fs::create_symlink("/run", root_.path("var/run"));
    write("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n", 0644);
    write("etc/group", "web:x:34:\nadm:x:4:web\n", 0644);
    write("usr/bin/tool", elf(EM_X86_64), 0755);
    ::chmod(root_.path().c_str(), 0755);
    ::chmod(root_.path("tmp").c_str(), 01777);
    ::chmod(root_.path("data").c_str(), 0750);
    host_.uids = host_.gids = {{0, 0, UINT32_MAX}};
  }
  /// The header of an executable for a machine.
  static std::string elf(unsigned machine) {
    Elf64_Ehdr header = {};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = static_cast<Elf64_Half>(machine);
    header.e_phentsize = sizeof(Elf64_Phdr);
    return {reinterpret_cast<const char*>(&header), sizeof header};
  }
  /// The same with a dynamic linker.
  static std::string dynamic_elf(const std::string& linker) {
    std::string file = elf(EM_X86_64);
    Elf64_Phdr segment = {};
    segment.p_type = PT_INTERP;
    segment.p_offset = sizeof(Elf64_Ehdr) + sizeof segment;
    segment.p_filesz = linker.size() + 1;
    Elf64_Ehdr header;
    std::memcpy(&header, file.data(), sizeof header);
    header.e_phoff = sizeof header;
    header.e_phnum = 1;
    file.assign(reinterpret_cast<const char*>(&header), sizeof header);
    file.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    return file + linker + '\0';
  }
  void write(const std::string& name, std::string_view text, mode_t mode) const {
    std::ofstream(root_.path(name)) << text;
    ::chmod(root_.path(name).c_str(), mode);
  }
  Result<Bundle> plan(const ProcessImage& image = {.cmd = {"tool"}},
                      const RunOptions& options = {}) const {
    return plan_bundle(*tree_, image, options, host_, "intact-0123456789ab");
  }
  Json config(const ProcessImage& image = {.cmd = {"tool"}}, const RunOptions& options = {},
              RuntimeKind runtime = RuntimeKind::runc) const {
    const auto bundle = plan(image, options);
    EXPECT_TRUE(bundle) << (bundle ? "" : bundle.error().message());
    return bundle ? make_config(*bundle, runtime, host_) : Json();
  }
  static const Json* find_mount(const Json& config, const std::string& destination) {
    for (const auto& mount : config.at("mounts"))
      if (mount.at("destination") == destination) return &mount;
    return nullptr;
  }
  static std::vector<std::string> option_list(const Json& config, const std::string& destination) {
    const Json* mount = find_mount(config, destination);
    return mount ? mount->at("options").get<std::vector<std::string>>()
                 : std::vector<std::string>{"no such mount"};
  }
  static std::vector<std::string> namespaces(const Json& config) {
    std::vector<std::string> types;
    for (const auto& entry : config.at("linux").at("namespaces")) {
      EXPECT_EQ(entry.size(), 1u) << "a path would join somebody's";
      types.push_back(entry.at("type"));
    }
    return types;
  }

  TempDir root_ = *TempDir::create();
  TempDir outside_ = *TempDir::create();
  std::shared_ptr<tree::FileTree> tree_ =
      std::make_shared<intact::run::testing::DirectoryTree>(root_.path());
  HostFacts host_;
};

TEST_F(BundleTest, SafeDefaults) {
  const Json json = config();
  const Json& process = json.at("process");
  EXPECT_EQ(process.at("noNewPrivileges"), true);
  EXPECT_EQ(process.at("terminal"), false);
  EXPECT_EQ(process.at("cwd"), "/");
  EXPECT_EQ(process.at("args"), Json::array({"tool"}));
  EXPECT_EQ(process.at("user").at("uid"), 0);
  EXPECT_EQ(json.at("root"), (Json{{"path", "rootfs"}, {"readonly", true}}));
  EXPECT_EQ(json.at("hostname"), "0123456789ab");
  EXPECT_THAT(namespaces(json), ElementsAre("pid", "mount", "ipc", "uts", "network", "cgroup"));
  const Json& linux = json.at("linux");
  EXPECT_EQ(linux.at("maskedPaths").size(), 13u);
  EXPECT_EQ(linux.at("resources").at("pids").at("limit"), 2048);
  EXPECT_EQ(linux.at("readonlyPaths").size(), 7u);
  EXPECT_THAT(option_list(json, "/sys/fs/cgroup"), Contains("ro"));
  EXPECT_EQ(find_mount(config({.cmd = {"tool"}}, {}, RuntimeKind::runsc), "/sys/fs/cgroup"),
            nullptr);
  // crun would make the hierarchies below it writable.
  const Json crun = config({.cmd = {"tool"}}, {}, RuntimeKind::crun);
  EXPECT_EQ(crun.at("linux").at("readonlyPaths").size(), 6u);
  EXPECT_EQ(linux.at("seccomp").at("defaultAction"), "SCMP_ACT_ERRNO");
  EXPECT_EQ(linux.at("resources").at("devices"),
            Json::array({Json{{"allow", false}, {"access", "rwm"}}}));
}

TEST_F(BundleTest, NothingThatSteersTheHost) {
  const std::string text = to_text(config());
  for (const char* word : {"annotations", "hooks", "intelRdt"})
    EXPECT_THAT(text, Not(HasSubstr(word)));
}

TEST_F(BundleTest, TheRootIsGuardedWhereARuntimeTakesItsFlags) {
  auto bundle = plan();
  ASSERT_TRUE(bundle);
  bundle->root_guard = RootGuard{.program = "/room/guard", .root = "/room/rootfs"};
  for (const RuntimeKind kind : {RuntimeKind::runc, RuntimeKind::crun}) {
    const Json json = make_config(*bundle, kind, host_);
    EXPECT_EQ(json.at("root").at("readonly"), false) << "runc would remove the flags again";
    EXPECT_EQ(json.at("hooks"), Json::parse(R"({"createContainer": [{"path": "/room/guard",
                             "args": ["intact-guard-root", "/room/rootfs", "ro"]}]})"));
  }
  EXPECT_FALSE(make_config(*bundle, RuntimeKind::runsc, host_).contains("hooks"));
  bundle->read_only = false;
  const Json writable = make_config(*bundle, RuntimeKind::runc, host_);
  EXPECT_EQ(writable.at("hooks").at("createContainer")[0].at("args").size(), 2u);
}

TEST_F(BundleTest, RootHasPodmansCapabilitiesOthersNone) {
  const Json root = config().at("process").at("capabilities");
  EXPECT_EQ(root.at("effective").size(), 11u);
  EXPECT_EQ(root.at("effective"), root.at("bounding"));
  EXPECT_EQ(root.at("effective"), root.at("permitted"));
  EXPECT_TRUE(root.at("inheritable").empty());
  EXPECT_TRUE(root.at("ambient").empty());
  EXPECT_THAT(to_text(root), Not(HasSubstr("SYS_ADMIN")));
  const Json web = config({.user = "web", .cmd = {"tool"}}).at("process").at("capabilities");
  EXPECT_EQ(web.at("bounding").size(), 11u);
  for (const char* set : {"effective", "permitted", "inheritable", "ambient"})
    EXPECT_TRUE(web.at(set).empty()) << set;
}

TEST_F(BundleTest, UserComesFromTheTree) {
  const Json user = config({.user = "web", .cmd = {"tool"}}).at("process").at("user");
  EXPECT_EQ(user, (Json{{"uid", 33}, {"gid", 34}, {"additionalGids", {4}}}));
  EXPECT_EQ(plan({.user = "eve", .cmd = {"tool"}}).error().kind(), ErrorKind::not_found);
  const Json chosen = config({.user = "web", .cmd = {"tool"}}, {.user = "7:8"});
  EXPECT_EQ(chosen.at("process").at("user"), (Json{{"uid", 7}, {"gid", 8}}));
}

TEST_F(BundleTest, HugeAccountFilesAreRefused) {
  fs::resize_file(root_.path("etc/passwd"), 5 * 1024 * 1024);
  EXPECT_EQ(plan().error().kind(), ErrorKind::limit);
}

TEST_F(BundleTest, ScratchSpaceOnAReadOnlyRoot) {
  const Json json = config();
  for (const char* path : {"/dev", "/dev/shm", "/run", "/tmp", "/var/tmp"}) {
    ASSERT_NE(find_mount(json, path), nullptr) << path;
    EXPECT_EQ(find_mount(json, path)->at("type"), "tmpfs");
    EXPECT_THAT(option_list(json, path), Contains("nosuid"));
  }
  EXPECT_THAT(option_list(json, "/tmp"), Contains("mode=1777"));
  EXPECT_THAT(option_list(json, "/sys"), Contains("ro"));
  const Json writable = config({.cmd = {"tool"}, .volumes = {"/data"}}, {.writable = true});
  EXPECT_EQ(writable.at("root").at("readonly"), false);
  EXPECT_NE(find_mount(writable, "/dev"), nullptr);
  for (const char* path : {"/run", "/tmp", "/data"}) EXPECT_EQ(find_mount(writable, path), nullptr);
}

TEST_F(BundleTest, ScratchSpaceStartsWithWhatTheImageHas) {
  ::chmod(root_.path("run").c_str(), 0711);
  EXPECT_THAT(option_list(config(), "/run"), Contains("mode=711"));
  EXPECT_THAT(option_list(config(), "/run"), Contains("tmpcopyup"));
  EXPECT_THAT(option_list(config({.cmd = {"tool"}}, {}, RuntimeKind::runsc), "/run"),
              Not(Contains("tmpcopyup")));
  // What lies below is the image's: owners, modes, and a program that is the command.
  fs::create_directories(root_.path("run/app"));
  ::chmod(root_.path("run/app").c_str(), 0700);
  write("run/prog", elf(EM_X86_64), 0755);
  const auto bundle = plan({.cmd = {"/run/prog"}, .volumes = {"/run/app"}});
  ASSERT_TRUE(bundle);
  EXPECT_THAT(option_list(make_config(*bundle, RuntimeKind::runc, host_), "/run/app"),
              Contains("mode=700"));
  EXPECT_FALSE(bundle->hiding_mounts.contains("/run"));
  EXPECT_TRUE(bundle->hiding_mounts.contains("/proc"));
}

TEST_F(BundleTest, AWritableRootHasTheVolumesOfTheImage) {
  const auto bundle = plan({.cmd = {"tool"}, .volumes = {"/prometheus"}}, {.writable = true});
  ASSERT_TRUE(bundle);
  EXPECT_TRUE(std::any_of(bundle->mount_points.begin(), bundle->mount_points.end(),
                          [](const auto& point) { return point.path == "/prometheus"; }));
  EXPECT_FALSE(std::any_of(bundle->mounts.begin(), bundle->mounts.end(),
                           [](const auto& mount) { return mount.destination == "/prometheus"; }));
}

TEST_F(BundleTest, HostNamesResolve) {
  const auto hosts = [&](const RunOptions& options) {
    const auto bundle = plan({.cmd = {"tool"}}, options);
    EXPECT_TRUE(bundle);
    for (const auto& mount : bundle->mounts)
      if (mount.destination == "/etc/hosts") return mount.content.value_or("not our file");
    return std::string("none");
  };
  EXPECT_EQ(hosts({.hostname = "box"}),
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tbox\n");
  write("etc/hosts", "10.0.0.1 db # localhost\n127.0.0.1 localhost box", 0644);
  EXPECT_EQ(hosts({.hostname = "box"}), "10.0.0.1 db # localhost\n127.0.0.1 localhost box\n");
  host_.hosts = "192.168.0.1 router\n";
  EXPECT_THAT(hosts({.network = Network::host, .hostname = "box"}),
              HasSubstr("192.168.0.1 router\n127.0.0.1\tlocalhost"));
  write("own", "x", 0644);
  EXPECT_EQ(hosts({.volumes = {{root_.path("own"), "/etc/hosts", true}}}), "not our file");
  EXPECT_EQ(hosts({.volumes = {{root_.path("data"), "/etc", true}}}), "none");
}

TEST_F(BundleTest, TmpfsOfTheUser) {
  const auto tmpfs = parse_tmpfs("/data:size=1m,mode=700,exec");
  ASSERT_TRUE(tmpfs);
  const auto options = option_list(config({.cmd = {"tool"}}, {.tmpfs = {*tmpfs}}), "/data");
  EXPECT_THAT(options, ElementsAre("nosuid", "nodev", "uid=0", "gid=0", "nr_inodes=262144",
                                   "size=1048576", "mode=700", "tmpcopyup"));
  // Without a size of its own it has the limit of the others.
  for (const std::uint64_t size : {kDefaultTmpfsSize, std::uint64_t{4096}}) {
    const Json json = config({.cmd = {"tool"}, .volumes = {"/data"}},
                             {.tmpfs = {*parse_tmpfs("/own")}, .tmpfs_size = size});
    for (const auto& mount : json.at("mounts")) {
      const std::string path = mount.at("destination");
      if (mount.at("type") != "tmpfs" || path.starts_with("/dev")) continue;
      EXPECT_THAT(option_list(json, path), Contains("size=" + std::to_string(size))) << path;
    }
    EXPECT_EQ(find_mount(json, "/data")->at("type"), "tmpfs");
  }
  EXPECT_THAT(option_list(config({.cmd = {"tool"}}, {.tmpfs = {*parse_tmpfs("/run")}}), "/run"),
              Contains("noexec"));
  for (const char* text :
       {"data", "/", "/a:suid", "/a:dev", "/a:size=x", "/a:mode=9", "/a:context=x"})
    EXPECT_FALSE(parse_tmpfs(text)) << text;
  EXPECT_FALSE(plan({.cmd = {"tool"}}, {.tmpfs = {{.destination = "/proc/x"}}}));
}

TEST_F(BundleTest, LimitsNeedControlGroups) {
  RunOptions options;
  options.limits = {.memory = 1 << 20, .cpu_quota = 50'000, .pids = 0};
  const Json resources = config({.cmd = {"tool"}}, options).at("linux").at("resources");
  EXPECT_EQ(resources.at("memory").at("limit"), 1 << 20);
  EXPECT_EQ(resources.at("cpu").at("quota"), 50'000);
  EXPECT_FALSE(resources.contains("pids"));
  EXPECT_FALSE(check_runtime(*plan({.cmd = {"tool"}}, options), RuntimeKind::runsc, host_));
  EXPECT_TRUE(check_runtime(*plan({.cmd = {"tool"}}, options), RuntimeKind::runc, host_));
  host_.user_namespace = host_.counts_processes_by_namespace = true;
  const auto refused = plan({.cmd = {"tool"}}, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(refused.error().message(), HasSubstr("--memory"));
  EXPECT_EQ(config().at("process").at("rlimits").at(1).at("hard"), 2048);
}

TEST_F(BundleTest, CapabilitiesAsAskedFor) {
  const auto capabilities = [&](const std::string& user, const RunOptions& options) {
    return config({.user = user, .cmd = {"tool"}}, options).at("process").at("capabilities");
  };
  const Json none = capabilities("0", {.cap_drop = {"all"}});
  EXPECT_TRUE(none.at("bounding").empty());
  const Json some = capabilities("0", {.cap_add = {"net_raw,CAP_SYS_TIME"}, .cap_drop = {"ALL"}});
  EXPECT_EQ(some.at("effective"), Json::array({"CAP_NET_RAW", "CAP_SYS_TIME"}));
  EXPECT_TRUE(some.at("ambient").empty());
  const Json web = capabilities("web", {.cap_add = {"NET_RAW"}});
  EXPECT_EQ(web.at("ambient"), Json::array({"CAP_NET_RAW"}));
  EXPECT_EQ(web.at("effective"), web.at("ambient"));
  EXPECT_FALSE(plan({.cmd = {"tool"}}, {.cap_add = {"NOSUCH"}}));
  EXPECT_FALSE(plan({.cmd = {"tool"}}, {.cap_add = {"KILL"}, .cap_drop = {"cap_kill"}}));
}

TEST_F(BundleTest, VolumesOfTheImageAreTmpfsWithItsModes) {
  const ProcessImage image{
      .cmd = {"tool"}, .volumes = {"/data", "/tmp", "/etc/passwd", "/proc/x", "relative", "/new"}};
  const auto bundle = plan(image);
  ASSERT_TRUE(bundle);
  const Json json = make_config(*bundle, RuntimeKind::runc, host_);
  EXPECT_THAT(option_list(json, "/data"), Contains("mode=750"));
  EXPECT_NE(find_mount(json, "/new"), nullptr);
  EXPECT_EQ(find_mount(json, "/etc/passwd"), nullptr);
  EXPECT_EQ(find_mount(json, "/proc/x"), nullptr);
  EXPECT_EQ(bundle->warnings.size(), 3u);
}

TEST_F(BundleTest, NetworkOnlyWhenAsked) {
  const Json json = config({.cmd = {"tool"}}, {.network = Network::host});
  EXPECT_THAT(namespaces(json), Not(Contains("network")));
  EXPECT_EQ(find_mount(json, "/sys")->at("type"), "sysfs");
  EXPECT_EQ(find_mount(config(), "/etc/resolv.conf"), nullptr);
  host_.user_namespace = true;
  EXPECT_THAT(option_list(config({.cmd = {"tool"}}, {.network = Network::host}), "/sys"),
              Contains("rbind"));
}

TEST_F(BundleTest, UserVolumes) {
  RunOptions options;
  options.volumes = {{outside_.path(), "/mnt/a/b", true},
                     {outside_.path(), "/mnt", false},
                     {outside_.path(), "/var/run/x", false},
                     {outside_.path(), "/tmp", false}};
  const auto bundle = plan({.cmd = {"tool"}}, options);
  ASSERT_TRUE(bundle) << bundle.error().message();
  const Json json = make_config(*bundle, RuntimeKind::runc, host_);
  EXPECT_THAT(option_list(json, "/mnt/a/b"), Contains("ro"));
  EXPECT_THAT(option_list(json, "/mnt"), Contains("rw"));
  for (const char* path : {"/mnt", "/mnt/a/b", "/run/x", "/tmp"}) {
    EXPECT_EQ(find_mount(json, path)->at("type"), "bind") << path;
    EXPECT_THAT(option_list(json, path), Contains("nosuid"));
    EXPECT_THAT(option_list(json, path), Contains("nodev"));
  }
  std::vector<std::string> order;
  for (const auto index : bundle->volume_mounts) order.push_back(bundle->mounts[index].destination);
  EXPECT_THAT(order, ElementsAre("/mnt", "/tmp", "/run/x", "/mnt/a/b"));
}

TEST_F(BundleTest, VolumesStayOffWhatTheContainerNeeds) {
  fs::create_symlink("/proc", root_.path("escape"));
  for (const char* destination : {"/proc", "/proc/sys", "/sys/fs", "/dev", "/dev/pts", "/escape/1"})
    EXPECT_EQ(plan({.cmd = {"tool"}}, {.volumes = {{outside_.path(), destination, false}}})
                  .error()
                  .kind(),
              ErrorKind::invalid_argument)
        << destination;
  EXPECT_TRUE(plan({.cmd = {"tool"}}, {.volumes = {{outside_.path(), "/dev/shm", false}}}));
  EXPECT_EQ(
      plan({.cmd = {"tool"}}, {.volumes = {{outside_.path("no"), "/a", false}}}).error().kind(),
      ErrorKind::not_found);
  EXPECT_FALSE(plan({.cmd = {"tool"}}, {.volumes = {{outside_.path(), "/run", false},
                                                    {outside_.path(), "/var/run", false}}}));
}

TEST_F(BundleTest, DestinationsCannotEscape) {
  fs::create_symlink("../../../../../../..", root_.path("up"));
  const auto bundle =
      plan({.cmd = {"tool"}}, {.volumes = {{outside_.path(), "/up/up/etc/evil", false}}});
  ASSERT_TRUE(bundle);
  EXPECT_EQ(bundle->mounts[bundle->volume_mounts.front()].destination, "/etc/evil");
}

TEST_F(BundleTest, WorkingDirectory) {
  EXPECT_EQ(config({.working_dir = "srv/./app/", .cmd = {"tool"}}).at("process").at("cwd"),
            "/srv/app");
  EXPECT_EQ(config({.cmd = {"tool"}}, {.working_dir = "/data"}).at("process").at("cwd"), "/data");
  EXPECT_FALSE(plan({.cmd = {"tool"}}, {.working_dir = "x"}));
  const auto bundle = plan({.working_dir = "/srv/app", .cmd = {"tool"}});
  EXPECT_EQ(bundle->mount_points.back().path, "/srv/app");
  // One that cannot be entered is told as that, and not left to runtimes.
  ::chmod(root_.path("data").c_str(), 0700);
  for (const char* wrong : {"/etc/passwd", "/etc/passwd/x", "/data", "/x"}) {
    const auto refused = plan({.user = "web", .cmd = {"tool"}}, {.working_dir = wrong});
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().kind(), ErrorKind::invalid_argument) << wrong;
    EXPECT_THAT(refused.error().message(), HasSubstr("working directory "));
  }
  EXPECT_TRUE(plan({.cmd = {"tool"}}, {.working_dir = "/data"}));
  // A mount makes it and the directories above it, and may have anything below.
  for (const char* made : {"/x", "/x/y", "/x/y/z"})
    EXPECT_TRUE(plan({.cmd = {"tool"}},
                     {.volumes = {{outside_.path(), "/x/y", false}}, .working_dir = made}))
        << made;
}

TEST_F(BundleTest, HostNames) {
  EXPECT_EQ(config({.cmd = {"tool"}}, {.hostname = "box-1.example"}).at("hostname"),
            "box-1.example");
  for (const std::string& name : {std::string("a b"), std::string("a\nb"), std::string(65, 'a')})
    EXPECT_FALSE(plan({.cmd = {"tool"}}, {.hostname = name}));
}

TEST_F(BundleTest, OneIdOnly) {
  host_.user_namespace = true;
  host_.uids = host_.gids = {{0, 1000, 1}};
  host_.setgroups_allowed = false;
  const auto root = plan();
  ASSERT_TRUE(root);
  EXPECT_TRUE(check_runtime(*root, RuntimeKind::crun, host_));
  const auto web = plan({.user = "web", .cmd = {"tool"}});
  ASSERT_TRUE(web);
  EXPECT_EQ(check_runtime(*web, RuntimeKind::crun, host_).error().kind(), ErrorKind::unsupported);
  EXPECT_TRUE(check_runtime(*web, RuntimeKind::runsc, host_));
  const Json json = make_config(*web, RuntimeKind::crun, host_);
  EXPECT_FALSE(json.at("process").at("user").contains("additionalGids"));
  EXPECT_FALSE(json.at("linux").contains("resources"));
  EXPECT_THAT(option_list(json, "/dev/pts"), Not(Contains("gid=5")));
}

TEST_F(BundleTest, IsExportedWithAShellWhereTheImageHasNoCommand) {
  const auto exported = export_bundle(*tree_, {});
  ASSERT_TRUE(exported) << exported.error().message();
  ASSERT_TRUE(exported->files.contains("config.json"));
  ASSERT_TRUE(exported->files.contains("hosts"));
  EXPECT_EQ(exported->files.size(), 2u);
  const Json config = *parse_json(exported->files.at("config.json"));
  EXPECT_EQ(config["process"]["args"], Json::array({"sh"}));
  const Json* const hosts = find_mount(config, "/etc/hosts");
  ASSERT_NE(hosts, nullptr);
  EXPECT_EQ(hosts->at("source"), "hosts");
  const auto named = export_bundle(*tree_, {.cmd = {"tool"}});
  ASSERT_TRUE(named) << named.error().message();
  EXPECT_EQ((*parse_json(named->files.at("config.json")))["process"]["args"],
            Json::array({"tool"}));
}

TEST_F(BundleTest, RunscHasItsOwnKernel) {
  const Json json = config({.cmd = {"tool"}}, {}, RuntimeKind::runsc);
  EXPECT_FALSE(json.at("linux").contains("maskedPaths"));
  EXPECT_FALSE(json.at("linux").contains("seccomp"));
  EXPECT_THAT(namespaces(json), ElementsAre("pid", "mount", "ipc", "uts", "network"));
}

TEST_F(BundleTest, CommandsAreLookedUpBeforeTheStart) {
  write("usr/bin/data", "x", 0644);
  write("usr/bin/script", "#! /bin/nosuch -x\n", 0755);
  write("usr/bin/good", "#!/bin/tool\n", 0755);
  write("usr/bin/secret", elf(EM_X86_64), 0700);
  write("usr/bin/foreign", elf(EM_AARCH64), 0755);
  write("usr/bin/text", "echo hi\n", 0755);
  write("usr/bin/empty", "", 0755);
  write("usr/bin/through", "#!/bin/text\n", 0755);
  write("usr/bin/dynamic", dynamic_elf("/bin/tool"), 0755);
  write("usr/bin/orphan", dynamic_elf("/lib64/ld-missing.so"), 0755);
  ProgramRules rules;
  const User root, web{.uid = 33, .gid = 34, .groups = {}, .home = "/"};
  const auto status = [&](const std::string& command, const User& user,
                          const std::set<std::string>& mounts = {}) {
    const auto answer =
        check_command(*tree_, command, {"PATH=/sbin:rel:/bin"}, "/etc", user, mounts, rules);
    EXPECT_TRUE(answer);
    return answer && *answer ? (*answer)->status : 0;
  };
  EXPECT_EQ(status("tool", root), 0);
  EXPECT_EQ(status("/bin/tool", root), 0);
  EXPECT_EQ(status("../bin/tool", root), 0);
  EXPECT_EQ(status("good", root), 0);
  EXPECT_EQ(status("nosuch", root), 127);
  EXPECT_EQ(status("/bin/nosuch", root), 127);
  EXPECT_EQ(status("/etc/passwd/x", root), 127);
  EXPECT_EQ(status("data", root), 126);
  EXPECT_EQ(status("/etc", root), 126);
  EXPECT_EQ(status("script", root), 127);
  EXPECT_EQ(status("secret", root), 0);
  EXPECT_EQ(status("secret", web), 126);
  EXPECT_EQ(status("/usr/bin/nosuch", root, {"/usr"}), 0);
  EXPECT_EQ(status("nosuch", root, {"/usr"}), 0);
  EXPECT_EQ(status("dynamic", root), 0);
  EXPECT_EQ(status("orphan", root), 127);
  for (const char* unusable : {"foreign", "text", "empty", "through"})
    EXPECT_EQ(status(unusable, root), 126) << unusable;
  // What the kernel was told to run it runs.
  const auto registered = parse_registered_format(
      "enabled\ninterpreter /usr/bin/qemu\nflags: F\noffset 18\nmagic b700\nmask ffff\n");
  ASSERT_TRUE(registered);
  rules.formats = {*registered};
  EXPECT_EQ(status("foreign", root), 0);
  EXPECT_EQ(status("text", root), 126);
  EXPECT_FALSE(parse_registered_format("disabled\ninterpreter /x\noffset 0\nmagic 00\n"));
}

}  // namespace
}  // namespace intact::run
