#include "seccomp_profile.h"

#include <array>
#include <cstdint>
#include <vector>

#include <intact/base/text.h>

// The lists are those of the default profile of podman (containers/common, as packaged in Debian
// 12 in /usr/share/containers/seccomp.json), which the test compares them with. Calls that
// are not listed fail with ENOSYS, so that programs fall back to older ones; calls that need a
// capability which the container lacks fail with EPERM, as they would without a filter.

namespace intact::run {
namespace {

constexpr unsigned kEperm = 1, kEinval = 22, kEnosys = 38;  // of the target, not of our libc

/// Names separated by blanks.
constexpr std::string_view kAllowed =
    "_llseek _newselect accept accept4 access adjtimex alarm bind brk capget capset chdir chmod "
    "chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 clone clone3 close close_range "
    "connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl "
    "epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve "
    "execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchown fchown32 fchownat fcntl fcntl64 fdatasync "
    "fgetxattr flistxattr flock fork fremovexattr fsconfig fsetxattr fsmount fsopen fspick "
    "fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_time64 "
    "futimesat get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64 "
    "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer "
    "getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 "
    "getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
    "gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch io_cancel io_destroy io_getevents io_setup io_submit ioctl ioprio_get "
    "ioprio_set ipc keyctl kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr llistxattr "
    "lremovexattr lseek lsetxattr lstat lstat64 madvise mbind membarrier memfd_create "
    "memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mount "
    "mount_setattr move_mount mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
    "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl msgget "
    "msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open "
    "open_tree openat openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 "
    "pivot_root pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv "
    "preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 "
    "pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readdir readlink "
    "readlinkat readv reboot recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages "
    "removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_mempolicy "
    "set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 "
    "setgid setgid32 setgroups setgroups32 setitimer setns setpgid setpriority setregid "
    "setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit "
    "setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaction "
    "sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend "
    "socketcall socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
    "sync_file_range syncfs syscall sysinfo syslog tee tgkill time timer_create timer_delete "
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times "
    "tkill truncate truncate64 ugetrlimit umask umount umount2 uname unlink unlinkat unshare "
    "utime utimensat utimensat_time64 utimes vfork wait4 waitid waitpid write writev";

constexpr std::string_view kRefused =
    "bdflush io_pgetevents kexec_file_load kexec_load migrate_pages move_pages nfsservctl nice "
    "oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read "
    "pciconfig_write sgetmask ssetmask swapcontext swapoff swapon sysfs uselib userfaultfd "
    "ustat vm86 vm86old vmsplice";

/// Calls of one family of machines.
struct MachineCalls {
  std::string_view machine, names;
};
constexpr std::array<MachineCalls, 2> kMachineCalls = {{
    {"x86_64", "arch_prctl modify_ldt"},
    {"aarch64",
     "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"},
}};

/// Calls that are allowed with a capability and refused (EPERM) without it.
struct CapabilityCalls {
  std::string_view capability, names;
};
constexpr std::array<CapabilityCalls, 9> kCapabilityCalls = {{
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    // setns is in the common list, which wins.
    {"CAP_SYS_ADMIN",
     "bpf fanotify_init lookup_dcookie perf_event_open quotactl setdomainname sethostname"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module finit_module init_module query_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp process_madvise"},
    {"CAP_SYS_RAWIO", "ioperm iopl"},
    {"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
}};

/// personality(2): the execution domains that programs of this family use; the last only asks.
constexpr std::array<std::uint64_t, 5> kPersonalities = {0, 0x8, 0x20000, 0x20008, 0xffffffff};

constexpr std::uint64_t kFamilyNetlink = 16, kNetlinkAudit = 9;

Json allow(std::string_view names) {
  return {{"names", split(names, ' ')}, {"action", "SCMP_ACT_ALLOW"}};
}

Json refuse(std::string_view names, unsigned error) {
  return {{"names", split(names, ' ')}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", error}};
}

Json argument(unsigned index, std::uint64_t value, std::string_view op) {
  return {{"index", index}, {"value", value}, {"op", std::string(op)}};
}

Json with(Json rule, Json arguments) {
  rule["args"] = std::move(arguments);
  return rule;
}

Json architectures(std::string_view machine) {
  if (machine == "x86_64")
    return Json::array({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"});
  if (machine == "aarch64") return Json::array({"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"});
  return Json::array();  // runtimes then filter their native architecture
}

}  // namespace

Json seccomp_profile(const std::set<std::string>& capabilities, std::string_view machine) {
  const auto has = [&](std::string_view capability) {
    return capabilities.contains(std::string(capability));
  };
  Json rules = Json::array();
  rules.push_back(refuse(kRefused, kEperm));
  rules.push_back(allow(kAllowed));
  for (const auto value : kPersonalities)
    rules.push_back(with(allow("personality"), Json::array({argument(0, value, "SCMP_CMP_EQ")})));
  for (const auto& calls : kMachineCalls)
    if (calls.machine == machine) rules.push_back(allow(calls.names));
  for (const auto& calls : kCapabilityCalls)
    rules.push_back(has(calls.capability) ? allow(calls.names) : refuse(calls.names, kEperm));
  if (has("CAP_AUDIT_WRITE")) {
    rules.push_back(allow("socket"));
  } else {
    // Every socket but one to the audit system. A rule's arguments must all match, hence three.
    rules.push_back(
        with(refuse("socket", kEinval), Json::array({argument(0, kFamilyNetlink, "SCMP_CMP_EQ"),
                                                     argument(2, kNetlinkAudit, "SCMP_CMP_EQ")})));
    rules.push_back(
        with(allow("socket"), Json::array({argument(2, kNetlinkAudit, "SCMP_CMP_NE")})));
    rules.push_back(
        with(allow("socket"), Json::array({argument(0, kFamilyNetlink, "SCMP_CMP_NE")})));
  }
  Json profile = {{"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", kEnosys}};
  if (Json list = architectures(machine); !list.empty()) profile["architectures"] = std::move(list);
  profile["syscalls"] = std::move(rules);
  return profile;
}

}  // namespace intact::run
