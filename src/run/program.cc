#include <optional>

#include <fmt/format.h>

#include <intact/run/options.h>
#include <intact/run/program.h>
#include <intact/run/tree_path.h>

namespace intact::run {
namespace {

bool may_execute(const tree::Attributes& file, const User& user) {
  if (user.uid == 0) return (file.mode & 0111) != 0;
  if (file.uid == user.uid) return (file.mode & 0100) != 0;
  bool in_group = file.gid == user.gid;
  for (const auto gid : user.groups) in_group |= file.gid == gid;
  return (file.mode & (in_group ? 0010 : 0001)) != 0;
}

/// The interpreter of a script that begins with "#!", as the kernel takes it; empty for others.
Result<std::string> interpreter_of(const tree::FileTree& tree, tree::NodeId node) {
  std::array<std::byte, 256> start;  // BINPRM_BUF_SIZE
  const auto file = TRY(tree.open(node));
  const std::size_t size = TRY(file->read(0, start));
  std::string_view line = as_text(ByteSpan(start).first(size));
  if (!line.starts_with("#!")) return std::string();
  line.remove_prefix(2);
  line = line.substr(0, line.find('\n'));
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::string();
  line.remove_prefix(begin);
  return std::string(line.substr(0, line.find_first_of(std::string_view(" \t\0", 3))));
}

enum class Found { no, hidden, not_executable, yes };

struct Candidate {
  Found found = Found::no;
  std::optional<tree::NodeId> node;
};

Result<Candidate> look_at(const tree::FileTree& tree, const std::string& path, const User& user,
                          const std::set<std::string>& mounts) {
  auto resolved = resolve(tree, path, mounts);
  if (!resolved) {
    const ErrorKind kind = resolved.error().kind();
    if (kind == ErrorKind::invalid_argument || kind == ErrorKind::limit) return Candidate{};
    return std::move(resolved).error();
  }
  if (resolved->below_mount) return Candidate{Found::hidden, {}};
  if (!resolved->node) return Candidate{};
  const tree::Attributes attributes = TRY(tree.attributes(*resolved->node));
  if (!attributes.is_regular() || !may_execute(attributes, user))
    return Candidate{Found::not_executable, resolved->node};
  return Candidate{Found::yes, resolved->node};
}

}  // namespace

Result<std::optional<CannotRun>> check_command(const tree::FileTree& tree,
                                               const std::string& command,
                                               const std::vector<std::string>& environment,
                                               const std::string& working_dir, const User& user,
                                               const std::set<std::string>& mounts) {
  using Answer = std::optional<CannotRun>;
  const auto relative = [&](std::string_view path) {
    return path.starts_with('/') ? std::string(path) : working_dir + "/" + std::string(path);
  };
  Candidate candidate;
  if (command.find('/') != std::string::npos) {
    candidate = TRY(look_at(tree, relative(command), user, mounts));
    if (candidate.found == Found::no)
      return Answer(
          CannotRun{kCommandNotFound, fmt::format("{}: no such file in the image", command)});
  } else {
    const std::string search = find_variable(environment, "PATH").value_or("");
    bool refused = false;
    for (std::string_view rest = search; !rest.empty();) {
      const auto colon = rest.find(':');
      const std::string_view directory = rest.substr(0, colon);
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
      // Runtimes pass over relative directories, and so do we.
      if (!directory.starts_with('/')) continue;
      candidate = TRY(look_at(tree, std::string(directory) + "/" + command, user, mounts));
      if (candidate.found == Found::yes || candidate.found == Found::hidden) break;
      refused |= candidate.found == Found::not_executable;
    }
    if (candidate.found != Found::yes && candidate.found != Found::hidden) {
      if (!refused)
        return Answer(CannotRun{
            kCommandNotFound,
            fmt::format("{}: command not found in the image (PATH={})", command, search)});
      candidate.found = Found::not_executable;
    }
  }
  if (candidate.found == Found::hidden) return Answer();
  if (candidate.found == Found::not_executable)
    return Answer(CannotRun{
        kCannotExecute, fmt::format("{}: cannot be executed: not a program that user {} may run",
                                    command, user.uid)});
  const std::string interpreter = TRY(interpreter_of(tree, *candidate.node));
  if (interpreter.empty()) return Answer();
  const Candidate script = TRY(look_at(tree, relative(interpreter), user, mounts));
  if (script.found == Found::no || script.found == Found::not_executable)
    return Answer(CannotRun{script.found == Found::no ? kCommandNotFound : kCannotExecute,
                            fmt::format("{}: its interpreter {} is missing or cannot be executed",
                                        command, interpreter)});
  return Answer();
}

}  // namespace intact::run
