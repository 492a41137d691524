#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "call_paths.h"
#include "disk.h"
#include "lab.h"
#include "tracer.h"

namespace intact::crash {
namespace {

namespace fs = std::filesystem;

/// All that a program could change in the files below a directory.
Result<std::string> describe(const std::string& path) {
  std::string text = TRY(Disk::load(path)).describe();
  std::map<std::string, std::string> facts;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    struct stat st;
    if (::lstat(entry.path().c_str(), &st) != 0) return Error::from_errno(entry.path(), errno);
    facts[entry.path()] = fmt::format("{:o} {} {}", st.st_mode, st.st_uid, st.st_nlink);
  }
  for (const auto& [name, fact] : facts) text += fmt::format("{} {}\n", name, fact);
  return text;
}

/// Which call, and which of the directories that it concerns.
struct Moment {
  std::uint64_t call = 0;
  std::size_t directory = 0;
};

/// Swaps a directory for a link at one moment: away from the store it goes to `kept`, and the link
/// leads to `outside`, a copy of it.
class Swapper final : public CallObserver {
 public:
  Swapper(std::string root, std::string scratch, Moment at)
      : root_(std::move(root)), scratch_(std::move(scratch)), at_(at) {}

  int before(const SystemCall& call) override {
    const auto file_call = read_file_call(call);
    if (!file_call || file_call->kind == CallKind::none) return 0;
    const std::vector<std::string> directories = directories_of(*file_call);
    if (directories.empty() || ++count_ != at_.call) return 0;
    choices_ = directories.size();
    if (at_.directory < choices_) swap(directories[at_.directory], call.number);
    return 0;
  }
  void after(const SystemCall&, std::int64_t) override {}

  std::uint64_t count() const { return count_; }
  std::size_t choices() const { return choices_; }  ///< directories that the call concerned
  const std::string& what() const { return what_; }
  /// Empty unless a directory was swapped.
  const std::string& outside() const { return outside_; }
  const std::string& before_swap() const { return before_swap_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  /// The directories below the root that lead to the paths of a call.
  std::vector<std::string> directories_of(const FileCall& call) const {
    std::vector<std::string> found;
    for (const std::string& path : {call.path, call.to_path}) {
      const auto below = path_below(path, root_);
      if (!below || below->empty()) continue;
      for (fs::path at = *below; !at.empty(); at = at.parent_path()) {
        const fs::path whole = fs::path(root_) / at;
        std::error_code error;
        if (fs::symlink_status(whole, error).type() != fs::file_type::directory) continue;
        if (std::find(found.begin(), found.end(), whole) == found.end()) found.push_back(whole);
      }
    }
    return found;
  }

  void swap(const std::string& directory, std::uint64_t number) {
    what_ = fmt::format("{} swapped for a link before system call {}", directory, number);
    const auto make = [&]() -> Result<void> {
      const Disk content = TRY(Disk::load(directory));
      const std::string outside = scratch_ + "/outside";
      TRY(content.write_to(outside));
      TRY(write_file_durably(outside + "/precious", as_bytes("precious"), 0640));
      before_swap_ = TRY(describe(outside));
      if (::rename(directory.c_str(), (scratch_ + "/kept").c_str()) != 0 ||
          ::symlink(outside.c_str(), directory.c_str()) != 0)
        return Error::from_errno(directory, errno);
      outside_ = outside;
      return {};
    };
    if (auto made = make(); !made) error_ = std::move(made).error();
  }

  std::string root_;
  std::string scratch_;
  Moment at_;
  std::uint64_t count_ = 0;
  std::size_t choices_ = 0;
  std::string what_;
  std::string outside_;
  std::string before_swap_;
  std::optional<Error> error_;
};

}  // namespace

Result<void> swap(const LabOptions& options) {
  const Disk before = TRY(Disk::load(options.root));
  // Beside the root: a directory is moved there by a rename.
  const TempDir scratch = TRY(TempDir::create(fs::path(options.root).parent_path(), "swap-"));
  std::map<int, int> statuses;
  std::uint64_t swapped = 0;
  /// Runs the command and swaps at that moment; returns how many calls and directories there were.
  const auto attempt = [&](Moment at) -> Result<Moment> {
    for (const char* name : {"outside", "kept"}) TRY(remove_tree(scratch.path(name)));
    TRY(before.write_to(options.root));
    Swapper swapper(options.root, scratch.path(), at);
    const std::string output = scratch.path("output");
    const std::string check_output = scratch.path("check");
    const int status = TRY(trace(options.command, output, swapper));
    if (swapper.error()) return Error(swapper.error()->kind(), swapper.error()->message());
    const auto wrong = [&](const std::string& why) -> Result<Moment> {
      return Error(ErrorKind::tampered,
                   fmt::format("call {} ({}): {}; exit status {}: {}", at.call, swapper.what(), why,
                               status, as_text(TRY(read_file(output, 1 << 20)))));
    };
    if (!swapper.outside().empty()) {
      ++statuses[status];
      ++swapped;
      if (TRY(describe(swapper.outside())) != swapper.before_swap())
        return wrong("something outside was changed");
    } else if (status != 0) {
      return wrong("it failed with nothing swapped");
    }
    const int checked = TRY(run_shell(
        options.check, {fmt::format("STATUS={}", status), "OUTPUT=" + output}, check_output));
    if (checked != 0)
      return wrong("the check: " + std::string(as_text(TRY(read_file(check_output, 1 << 20)))));
    return Moment{swapper.count(), swapper.choices()};
  };

  const std::uint64_t calls = TRY(attempt({})).call;
  if (options.most == 0) {
    for (std::uint64_t call = 1; call <= calls; ++call) {
      std::size_t choices = 1;
      for (std::size_t i = 0; i < choices; ++i) choices = TRY(attempt({call, i})).directory;
    }
  } else {
    std::mt19937_64 random(options.seed);
    for (std::uint64_t i = 0; i < options.most; ++i) {
      const std::uint64_t call = random() % calls + 1;
      const std::size_t directory = random() % 2;
      if (TRY(attempt({call, directory})).directory <= directory) TRY(attempt({call, 0}));
    }
  }
  TRY(before.write_to(options.root));
  std::string ends;
  for (const auto& [status, times] : statuses)
    ends += fmt::format(", exit status {} {} times", status, times);
  fmt::print("{} swaps at {} calls{}, seed {}\n", swapped, calls, ends, options.seed);
  return {};
}

}  // namespace intact::crash
