#include "program.h"

#include <array>
#include <optional>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/run/options.h>

#include "binary_format.h"
#include "tree_path.h"

namespace intact::run {
namespace {

bool may_execute(const tree::Attributes& file, const User& user) {
  if (user.uid == 0) return (file.mode & 0111) != 0;
  if (file.uid == user.uid) return (file.mode & 0100) != 0;
  bool in_group = file.gid == user.gid;
  for (const auto gid : user.groups) in_group |= file.gid == gid;
  return (file.mode & (in_group ? 0010 : 0001)) != 0;
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

constexpr unsigned kMaxScripts = 5;  // interpreters that are scripts themselves, as the kernel

CannotRun not_executable(const std::string& command, const User& user) {
  return {kCannotExecute,
          fmt::format("{}: not a program that user {} may execute", command, user.uid)};
}

/// What the command names, or why it cannot be run.
struct Looked {
  Candidate candidate;
  std::optional<CannotRun> refused;
  std::string path;
};

Result<Looked> find_command(const tree::FileTree& tree, const std::string& command,
                            const std::vector<std::string>& environment,
                            const std::string& working_dir, const User& user,
                            const std::set<std::string>& mounts) {
  Looked out;
  if (command.find('/') != std::string::npos) {
    out.path = command.front() == '/' ? command : working_dir + "/" + command;
    out.candidate = TRY(look_at(tree, out.path, user, mounts));
    if (out.candidate.found == Found::no)
      out.refused = CannotRun{kCommandNotFound, command + ": no such file in the image"};
    if (out.candidate.found == Found::not_executable) out.refused = not_executable(command, user);
    return out;
  }
  const std::string search = find_variable(environment, "PATH").value_or("");
  bool refused = false;
  for (std::string_view rest = search; !rest.empty();) {
    const std::string_view directory = take_until(rest, ':');
    // Runtimes skip relative directories, and so do we.
    if (!directory.starts_with('/')) continue;
    out.path = std::string(directory) + "/" + command;
    out.candidate = TRY(look_at(tree, out.path, user, mounts));
    if (out.candidate.found == Found::yes || out.candidate.found == Found::hidden) return out;
    refused |= out.candidate.found == Found::not_executable;
  }
  out.refused =
      refused
          ? not_executable(command, user)
          : CannotRun{kCommandNotFound,
                      fmt::format("{}: command not found in the image (PATH={})", command, search)};
  return out;
}

}  // namespace

Result<std::optional<CannotRun>> check_command(const tree::FileTree& tree,
                                               const std::string& command,
                                               const std::vector<std::string>& environment,
                                               const std::string& working_dir, const User& user,
                                               const std::set<std::string>& hiding_mounts,
                                               const ProgramRules& rules) {
  using Answer = std::optional<CannotRun>;
  Looked looked = TRY(find_command(tree, command, environment, working_dir, user, hiding_mounts));
  if (looked.refused) return Answer(std::move(looked.refused));
  Candidate candidate = looked.candidate;
  std::string path = looked.path;
  for (unsigned level = 0; candidate.found != Found::hidden; ++level) {
    std::array<std::byte, kProbeSize> start;
    const auto file = TRY(tree.open(*candidate.node));
    const std::size_t size = TRY(file->read(0, start));
    const BinaryForm form =
        identify_binary(ByteSpan(start).first(size), path, rules.machine, rules.formats);
    using Kind = BinaryForm::Kind;
    if (form.kind == Kind::unusable || level > kMaxScripts)
      return Answer(CannotRun{
          kCannotExecute,
          fmt::format("{}: {} (exec format error)", command,
                      level == 0 ? "not a program for this machine, nor a script with #!"
                                 : "its interpreter cannot be executed on this machine")});
    if (form.interpreter.empty()) break;
    path =
        form.interpreter.front() == '/' ? form.interpreter : working_dir + "/" + form.interpreter;
    candidate = TRY(look_at(tree, path, user, hiding_mounts));
    if (candidate.found == Found::no || candidate.found == Found::not_executable)
      return Answer(CannotRun{
          candidate.found == Found::no ? kCommandNotFound : kCannotExecute,
          fmt::format("{}: its interpreter {} {} the image", command, form.interpreter,
                      candidate.found == Found::no ? "is missing from" : "is not executable in")});
    // The dynamic linker of a native program has none itself.
    if (form.kind == Kind::native) break;
  }
  return Answer();
}

}  // namespace intact::run
