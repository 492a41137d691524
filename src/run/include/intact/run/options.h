#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>

namespace intact::run {

/// The part of an image's config that says how its process is started. Labels and annotations have
/// no place here on purpose: runtimes take orders from annotations.
struct ProcessImage {
  std::string user;         ///< "", "NAME|UID" or "NAME|UID:GROUP|GID"
  std::string working_dir;  ///< "" is "/"
  std::vector<std::string> env;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> volumes;  ///< paths that the image wants to write to
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
};

/// "SRC:DST[:ro|rw]". A relative SRC must begin with "." and counts from the current directory; DST
/// must be absolute and not "/". There are no named volumes.
Result<Volume> parse_volume(std::string_view text);

/// What the caller asks for beyond the image.
struct RunOptions {
  std::optional<RuntimeKind> runtime;
  bool writable = false;  ///< a writable root that is thrown away at the end
  /// "K=V", or "K" for the value that K has in the caller's environment (nothing if it has none).
  std::vector<std::string> env;
  std::vector<Volume> volumes;
  Network network = Network::none;
  bool interactive = false;               ///< keep stdin
  bool terminal = false;                  ///< a terminal of its own; implies interactive
  std::optional<std::string> entrypoint;  ///< instead of the image's, whose cmd then goes too
  std::string user;                       ///< instead of the image's, same form
  std::string working_dir;                ///< instead of the image's
  std::string hostname;                   ///< "": the container's id
  std::vector<std::string> command;       ///< instead of the image's cmd
};

/// The command line of the container's process. invalid_argument when there is none.
Result<std::vector<std::string>> make_arguments(const ProcessImage& image,
                                                const RunOptions& options);

using Getenv = std::function<std::optional<std::string>(const std::string&)>;

/// The environment of the container's process: defaults, then the image's, then the caller's.
/// Nothing of the caller's own environment gets in but what he names.
Result<std::vector<std::string>> make_environment(const ProcessImage& image,
                                                  const RunOptions& options,
                                                  const std::string& home,
                                                  const std::string& hostname,
                                                  const Getenv& getenv);

/// The value of a variable in a list of "K=V"; null when it is not there.
std::optional<std::string> find_variable(const std::vector<std::string>& environment,
                                         std::string_view name);

}  // namespace intact::run
