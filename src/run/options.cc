#include <algorithm>
#include <filesystem>

#include <intact/base/file.h>
#include <intact/base/text.h>
#include <intact/run/options.h>

namespace intact::run {
namespace {

constexpr std::uint64_t kMaxEnvFile = 4 * 1024 * 1024;  // bytes

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Lexically absolute and clean: no "." or "..", no doubled or trailing slashes.
std::string clean(const std::filesystem::path& path) {
  std::string text = path.lexically_normal().string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string_view key_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// Always in force, or without a meaning here: SELinux labels (z, Z) are left as they are.
const std::set<std::string_view> kIgnoredVolumeOptions = {"z",       "Z",        "bind",   "rbind",
                                                          "private", "rprivate", "nosuid", "nodev"};

/// Replaces the variable of the same name in its place, or appends.
void set_variable(std::vector<std::string>& environment, std::string variable) {
  for (auto& other : environment)
    if (key_of(other) == key_of(variable)) {
      other = std::move(variable);
      return;
    }
  environment.push_back(std::move(variable));
}

}  // namespace

std::string_view to_string(RuntimeKind kind) {
  switch (kind) {
    case RuntimeKind::crun:
      return "crun";
    case RuntimeKind::runc:
      return "runc";
    case RuntimeKind::runsc:
      return "runsc";
  }
  return "";
}

Result<RuntimeKind> parse_runtime(std::string_view name) {
  for (const auto kind : {RuntimeKind::crun, RuntimeKind::runc, RuntimeKind::runsc})
    if (name == to_string(kind)) return kind;
  return Error(ErrorKind::invalid_argument,
               "--runtime " + std::string(name) + ": not one of crun, runc and runsc");
}

Result<Network> parse_network(std::string_view name) {
  if (name == "none") return Network::none;
  if (name == "host") return Network::host;
  return Error(ErrorKind::invalid_argument,
               "--network " + std::string(name) + ": not one of none and host");
}

Result<Volume> parse_volume(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorKind::invalid_argument,
                 "volume \"" + std::string(text) + "\": " + std::string(why));
  };
  if (text.find('\0') != std::string_view::npos) return refuse("contains a NUL");
  const auto first = text.find(':');
  if (first == std::string_view::npos) return refuse("not of the form SRC:DST[:OPTION,...]");
  const std::string_view source = text.substr(0, first);
  std::string_view destination = text.substr(first + 1);
  Volume volume;
  if (const auto second = destination.find(':'); second != std::string_view::npos) {
    for (const std::string_view option : split(destination.substr(second + 1), ',')) {
      if (option == "ro" || option == "rw")
        volume.read_only = option == "ro";
      else if (option == "exec" || option == "noexec")
        volume.no_exec = option == "noexec";
      else if (!kIgnoredVolumeOptions.contains(option))
        return refuse("unknown option \"" + std::string(option) + "\"");
    }
    destination = destination.substr(0, second);
  }
  if (source.empty() || (source.front() != '/' && source.front() != '.'))
    return refuse("the source must be a path that begins with / or . (named volumes do not exist)");
  if (destination.empty() || destination.front() != '/')
    return refuse("the destination must be an absolute path");
  std::error_code error;
  volume.source = clean(std::filesystem::absolute(std::filesystem::path(source), error));
  if (error) return refuse("the current directory no longer exists");
  volume.destination = clean(std::filesystem::path(destination));
  if (volume.destination == "/") return refuse("the destination may not be /");
  return volume;
}

Result<std::vector<std::string>> parse_env_file(std::string_view text) {
  std::vector<std::string> variables;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string_view name = key_of(line);
    if (name.empty() || name.find_first_of(" \t") != std::string_view::npos ||
        line.find('\0') != std::string_view::npos)
      return Error(ErrorKind::invalid_argument,
                   "line " + std::to_string(number) + ": not of the form NAME[=VALUE]");
    variables.emplace_back(line);
  }
  return variables;
}

Result<std::vector<std::string>> read_env_file(const std::string& path) {
  const Bytes text = TRY(read_file(path, kMaxEnvFile));
  return parse_env_file(as_text(text)).context(path);
}

Result<std::vector<std::string>> make_arguments(const ProcessImage& image,
                                                const RunOptions& options) {
  std::vector<std::string> arguments = image.entrypoint;
  // How builders reset the entrypoint of a base image.
  if (arguments == std::vector<std::string>{""}) arguments.clear();
  bool use_cmd = options.command.empty();
  if (options.entrypoint) {
    arguments.clear();
    if (!options.entrypoint->empty()) arguments.push_back(*options.entrypoint);
    use_cmd = false;
  }
  const auto& rest = use_cmd ? image.cmd : options.command;
  arguments.insert(arguments.end(), rest.begin(), rest.end());
  if (arguments.empty())
    return Error(ErrorKind::invalid_argument, "the image has no command; give one after its name");
  if (arguments.front().empty())
    return Error(ErrorKind::invalid_argument, "the command is an empty string");
  for (const auto& argument : arguments)
    if (argument.find('\0') != std::string::npos)
      return Error(ErrorKind::malformed, "the command contains a NUL");
  return arguments;
}

Result<std::vector<std::string>> make_environment(const ProcessImage& image,
                                                  const RunOptions& options,
                                                  const std::string& home,
                                                  const std::string& hostname,
                                                  const Getenv& getenv) {
  std::vector<std::string> environment = {"PATH=" + std::string(kDefaultPath)};
  if (options.terminal) environment.emplace_back("TERM=xterm");
  environment.emplace_back("container=intact");
  for (const auto& variable : image.env) {
    if (variable.find('\0') != std::string::npos)
      return Error(ErrorKind::malformed, "an environment variable of the image contains a NUL");
    // getenv(3) would not see one without a value or a name either.
    if (const auto equals = variable.find('='); equals == std::string::npos || equals == 0)
      continue;
    set_variable(environment, variable);
  }
  for (const auto& wish : options.env) {
    const auto equals = wish.find('=');
    if (wish.empty() || equals == 0)
      return Error(ErrorKind::invalid_argument,
                   "environment variable \"" + wish + "\": no name before the =");
    if (equals != std::string::npos) {
      set_variable(environment, wish);
    } else if (const auto value = getenv ? getenv(wish) : std::nullopt) {
      set_variable(environment, wish + "=" + *value);
    }
  }
  if (!find_variable(environment, "HOME")) environment.push_back("HOME=" + home);
  if (!find_variable(environment, "HOSTNAME")) environment.push_back("HOSTNAME=" + hostname);
  return environment;
}

std::optional<std::string> find_variable(const std::vector<std::string>& environment,
                                         std::string_view name) {
  for (const auto& variable : environment)
    if (key_of(variable) == name && variable.size() > name.size())
      return variable.substr(name.size() + 1);
  return std::nullopt;
}

}  // namespace intact::run
