#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>

namespace intact::run {

/// The part of an image's config that says how its process is started. Labels and annotations are
/// left out on purpose: runtimes act on annotations.
struct ProcessImage {
  std::string user;         ///< as find_user() takes it
  std::string working_dir;  ///< "" is "/"
  std::vector<std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> volumes;  ///< paths that the image expects to be writable
};

enum class RuntimeKind { crun, runc, runsc };
std::string_view to_string(RuntimeKind kind);
Result<RuntimeKind> parse_runtime(std::string_view name);

enum class Network { none, host };
Result<Network> parse_network(std::string_view name);

/// A directory or file of the host that the container sees.
struct Volume {
  std::string source;       ///< absolute
  std::string destination;  ///< absolute
  bool read_only = false;
  bool no_exec = false;
};

/// "SRC:DST[:OPTION,...]" as podman takes it. A relative SRC must begin with "." and counts from
/// the current directory; DST must be absolute and not "/". Named volumes do not exist. Options:
/// ro, rw, noexec; those that are always in force (nosuid, nodev, rprivate) and those that mean
/// nothing here (z, Z, rbind, exec) are accepted.
Result<Volume> parse_volume(std::string_view text);

/// An empty file system in memory, filled with what the image has there.
struct Tmpfs {
  std::string destination;           ///< absolute
  std::vector<std::string> options;  ///< of mount(8), checked
  bool copy_up = true;
};

/// "DST[:OPTION,...]" as podman takes it: size=, mode=, uid=, gid=, nr_inodes=, ro, rw, exec,
/// noexec, notmpcopyup. noexec is the default; nosuid and nodev are always in force.
Result<Tmpfs> parse_tmpfs(std::string_view text);

/// A number of bytes as podman takes it: "1048576", "512m", "1.5g"; units b, k, m, g, t (powers of
/// 1024), optionally followed by "b" or "ib". `what` names it in the error.
Result<std::uint64_t> parse_bytes(std::string_view what, std::string_view text);

/// The shortest text with a unit that parse_bytes() reads as exactly `bytes`: "512m".
std::string bytes_text(std::uint64_t bytes);

/// What a tmpfs may hold unless the user says otherwise, in bytes.
inline constexpr std::uint64_t kDefaultTmpfsSize = std::uint64_t{512} << 20;
/// How many files a tmpfs of that size may hold. The kernel's memory for them is not part of the
/// size: about half as much again at most.
std::uint64_t tmpfs_inodes(std::uint64_t size);

/// "512m" as RunOptions::writable_size, of --rw-size. 0 is refused: it means no limit to a tmpfs.
Result<std::uint64_t> parse_writable_size(std::string_view text);
/// "512m" as RunOptions::tmpfs_size, of --tmpfs-size. 0 is refused for the same reason.
Result<std::uint64_t> parse_tmpfs_size(std::string_view text);

/// The capabilities of a process whose user is root, after podman's rules for `add` and `drop`:
/// names with or without "CAP_" in any case, comma-separated lists, "ALL". Names in the result are
/// "CAP_CHOWN" and so on. invalid_argument for unknown names, and for one that is added and
/// dropped.
Result<std::set<std::string>> choose_capabilities(const std::vector<std::string>& add,
                                                  const std::vector<std::string>& drop);
/// The same for other users, who have only what was added for them.
Result<std::set<std::string>> added_capabilities(const std::vector<std::string>& add,
                                                 const std::set<std::string>& chosen);

/// Limits that control groups enforce.
struct Limits {
  std::optional<std::uint64_t> memory;     ///< bytes
  std::optional<std::uint64_t> cpu_quota;  ///< microseconds of processor time in each 100 ms
  std::optional<std::uint64_t> pids;       ///< processes and threads; 0: no limit

  bool any() const { return memory || cpu_quota || pids; }
};

/// "1.5" processors as Limits::cpu_quota.
Result<std::uint64_t> parse_cpus(std::string_view text);
/// A number of processes as Limits::pids; "-1" and "0" mean no limit.
Result<std::uint64_t> parse_pids(std::string_view text);

using Getenv = std::function<std::optional<std::string>(const std::string&)>;

/// The variables of an environment file as podman reads it: lines "K=V" or "K" (the value that K
/// has in the caller's environment), "#" comments, blank lines. In the form of RunOptions::env.
/// invalid_argument for a line without a name or with blanks in it.
Result<std::vector<std::string>> parse_env_file(std::string_view text);
/// The same for a file of at most 4 MiB. Errors name it; not_found, io: it cannot be read.
Result<std::vector<std::string>> read_env_file(const std::string& path);

/// What the caller asks for beyond the image.
struct RunOptions {
  std::optional<RuntimeKind> runtime;
  bool writable = false;                       ///< a writable root that is discarded at the end
  std::optional<std::uint64_t> writable_size;  ///< bytes that may be written to it
  /// "K=V", or "K" for the value that K has in the caller's environment (nothing if it has none).
  std::vector<std::string> env;
  std::vector<Volume> volumes;
  std::vector<Tmpfs> tmpfs;
  /// Bytes that all places together may hold which the image has writable (/run, /tmp, /var/tmp and
  /// its volumes), and each of `tmpfs` without a size of its own.
  std::uint64_t tmpfs_size = kDefaultTmpfsSize;
  Network network = Network::none;
  bool interactive = false;               ///< keep stdin
  bool terminal = false;                  ///< a terminal of its own; implies interactive
  bool init = false;                      ///< a small init as process 1
  std::optional<std::string> entrypoint;  ///< instead of the image's; its cmd is then dropped too
  std::string user;                       ///< instead of the image's, same form
  std::string working_dir;                ///< instead of the image's
  std::string hostname;                   ///< "": the container's id
  std::vector<std::string> cap_add, cap_drop;
  Limits limits;
  std::vector<std::string> command;  ///< instead of the image's cmd
};

/// What the caller asks for, as text where it has a form of its own; empty: not given.
struct OptionTexts {
  std::string runtime = {}, network = "none";
  std::vector<std::string> volumes = {}, tmpfs = {}, env_files = {};
  std::string memory = {}, cpus = {}, pids = {}, rw_size = {}, tmpfs_size = {};
};
/// Parses all of them into `options`. invalid_argument names the option; errors of
/// read_env_file().
Result<void> read_texts(const OptionTexts& texts, RunOptions& options);

/// The command line of the container's process. An entrypoint of one empty string counts as none,
/// as in docker and podman. invalid_argument without a command.
Result<std::vector<std::string>> make_arguments(const ProcessImage& image,
                                                const RunOptions& options);

/// The environment of the container's process: defaults, then the image's, then the caller's.
/// Nothing of the caller's own environment is passed but the variables that `options` names.
Result<std::vector<std::string>> make_environment(const ProcessImage& image,
                                                  const RunOptions& options,
                                                  const std::string& home,
                                                  const std::string& hostname,
                                                  const Getenv& getenv);

/// The value of a variable in a list of "K=V"; null when it is not there.
std::optional<std::string> find_variable(const std::vector<std::string>& environment,
                                         std::string_view name);

}  // namespace intact::run
