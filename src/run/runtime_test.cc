#include "runtime.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "id_maps.h"
#include "process.h"
#include "program.h"

namespace intact::run {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const RuntimePlace kPlace{.bundle = "/r/bundle",
                          .state = "/r/state",
                          .log = "/r/log",
                          .pid_file = "/r/pid",
                          .console_socket = {}};

TEST(ExitStatus, IsThatOfShells) {
  const auto status_of = [](const std::function<int()>& body) {
    return exit_status_of(wait_for(*fork_child(Lifetime::ends_with_us, body)));
  };
  EXPECT_EQ(status_of([] { return 0; }), 0);
  EXPECT_EQ(status_of([] { return 255; }), 255);
  for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP}) {
    const auto die = [signal] {
      ::signal(signal, SIG_DFL);
      ::raise(signal);
      return 0;
    };
    EXPECT_EQ(status_of(die), 128 + signal);
  }
}

TEST(Runtimes, AreFoundInOrder) {
  const auto dir = *TempDir::create();
  for (const char* name : {"runsc", "crun"})
    ASSERT_TRUE(write_file_durably(dir.path(name), as_bytes("#!/bin/true\n"), 0755));
  const auto found = find_runtimes(std::nullopt, dir.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->front().kind, RuntimeKind::crun);
  EXPECT_EQ(found->front().path, dir.path("crun"));
  const auto wanted = find_runtimes(RuntimeKind::runsc, dir.path());
  ASSERT_TRUE(wanted);
  ASSERT_EQ(wanted->size(), 1u);
  EXPECT_EQ(wanted->front().path, dir.path("runsc"));
}

TEST(Runtimes, RelativeDirectoriesAreNotSearched) {
  const auto dir = *TempDir::create();
  ASSERT_TRUE(write_file_durably(dir.path("crun"), as_bytes("#!/bin/true\n"), 0755));
  ASSERT_EQ(::chdir(dir.path().c_str()), 0);
  const auto found = find_runtimes(std::nullopt, ".:");
  if (found) {
    EXPECT_THAT(found->front().path, Not(HasSubstr(dir.path())));
  }
  ASSERT_EQ(::chdir("/"), 0);
}

TEST(Runtimes, CommandLines) {
  const auto crun =
      run_command({RuntimeKind::crun, "/bin/crun"}, kPlace, "x", Network::none, true, "");
  EXPECT_THAT(crun, Contains("file:/r/log"));
  EXPECT_THAT(crun, Contains("disabled"));
  // Its root is looked at before it starts.
  EXPECT_THAT(crun, Contains("create"));
  const auto start = start_command({RuntimeKind::crun, "/bin/crun"}, kPlace, "x", true);
  EXPECT_EQ(start[start.size() - 2], "start");
  EXPECT_EQ(start.back(), "x");
  const auto runc =
      run_command({RuntimeKind::runc, "/bin/runc"}, kPlace, "x", Network::none, false, "");
  EXPECT_THAT(runc, Not(Contains("--rootless")));
  const auto old = run_command({RuntimeKind::runsc, "/bin/runsc"}, kPlace, "x", Network::none, true,
                               "runsc version 0.0~20221219.0\nspec: 1.0.2-dev\n");
  EXPECT_THAT(old, Contains("--platform=ptrace"));
  EXPECT_THAT(old, Contains("--rootless"));
  EXPECT_THAT(old, Contains("run"));
  EXPECT_THAT(old, Contains("--network=none"));
  const auto recent = run_command({RuntimeKind::runsc, "/bin/runsc"}, kPlace, "x", Network::host,
                                  false, "runsc version release-20240729.0\n");
  EXPECT_THAT(recent, Not(Contains("--platform=ptrace")));
  EXPECT_THAT(recent, Contains("--network=host"));
  EXPECT_THAT(kill_command({RuntimeKind::runc, "/bin/runc"}, kPlace, "x", 15), IsEmpty());
  EXPECT_THAT(kill_command({RuntimeKind::runsc, "/bin/runsc"}, kPlace, "x", 15), Contains("15"));
}

TEST(Runtimes, DateOfRunsc) {
  EXPECT_EQ(runsc_date("runsc version 0.0~20221219.0"), 20221219u);
  EXPECT_EQ(runsc_date("runsc version release-20240729.0-12-gabcdef12345678"), 20240729u);
  EXPECT_EQ(runsc_date("runsc version VERSION_MISSING"), 0u);
  EXPECT_EQ(runsc_date("123456789012"), 0u);
  EXPECT_EQ(runsc_date(""), 0u);
}

TEST(RuntimeLog, GivesTheLastError) {
  EXPECT_EQ(
      last_error("{\"level\":\"warning\",\"msg\":\"w\"}\n{\"level\":\"error\",\"msg\":\"a\"}\n"
                 "{\"msg\":\"b\",\"level\":\"error\",\"time\":\"t\"}\n"),
      "b");
  EXPECT_EQ(last_error("{\"level\":\"info\",\"msg\":\"fine\"}\n"), "");
  EXPECT_EQ(last_error("garbage\n{\"level\":3}\n[]\n{\n"), "");
}

TEST(RuntimeLog, TellsCommandsThatCannotRun) {
  struct Case {
    const char* text;
    int status;
  };
  for (const Case& c : {
           Case{
               "runc run failed: unable to start container process: exec: \"nonexist\": executable "
               "file not found in $PATH",
               kCommandNotFound},
           Case{"runc run failed: unable to start container process: exec: \"/etc/passwd\": "
                "permission denied",
                kCannotExecute},
           Case{"executable file `nonexist` not found in $PATH: No such file or directory",
                kCommandNotFound},
           Case{"open executable: Permission denied", kCannotExecute},
           Case{"running container: starting container: error finding executable \"nonexist\" in "
                "PATH [/bin]: no such file or directory",
                kCommandNotFound},
           Case{"creating process: failed to load /etc: permission denied", kCannotExecute},
           Case{"cgroups in hybrid mode not supported, drop all controllers from cgroupv2", 0},
           Case{"mount /x: no such file or directory", 0},
       })
    EXPECT_EQ(command_status(c.text), c.status) << c.text;
}

TEST(IdMaps, SubordinateIds) {
  const auto range = find_subordinate_ids("a:1:2\nme:100000:65536\nme:5:5\n", "me", 1000);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->container, 1u);
  EXPECT_EQ(range->host, 100000u);
  EXPECT_EQ(range->size, 65536u);
  EXPECT_TRUE(find_subordinate_ids("1000:7:8\n", "me", 1000));
  EXPECT_FALSE(find_subordinate_ids("you:7:8\n", "me", 1000));
  for (const char* line : {"me:7", "me:7:0", "me:x:8", "me:4294967295:2", "me:7:8:9", "me::"})
    EXPECT_FALSE(find_subordinate_ids(line, "me", 1000)) << line;
}

TEST(IdMaps, OfTheKernel) {
  const auto map =
      parse_id_map("         0       1000          1\n         1     100000      65536\n");
  ASSERT_TRUE(map);
  ASSERT_EQ(map->size(), 2u);
  EXPECT_EQ((*map)[1].container, 1u);
  EXPECT_EQ((*map)[1].size, 65536u);
  EXPECT_FALSE(parse_id_map("0 1\n"));
  EXPECT_FALSE(parse_id_map("0 1 x\n"));
}

}  // namespace
}  // namespace intact::run
