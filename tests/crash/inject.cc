#include <algorithm>
#include <cerrno>
#include <map>
#include <numeric>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/file.h>

#include "call_paths.h"
#include "disk.h"
#include "lab.h"
#include "tracer.h"

namespace intact::crash {
namespace {

/// Whether a call can meet that error: a full disk is met by what takes space only.
bool can_fail(const FileCall& call, int error) {
  switch (call.kind) {
    case CallKind::open:
      return error == EIO || (call.open_flags & O_CREAT);
    case CallKind::write:
    case CallKind::pwrite:
    case CallKind::resize:
    case CallKind::make_directory:
    case CallKind::link:
    case CallKind::rename:
    case CallKind::sync:
    case CallKind::sync_all:
      return true;
    default:
      return error == EIO;
  }
}

/// Counts the calls that can fail and fails one of them.
class Injector final : public CallObserver {
 public:
  Injector(std::string root, int error, std::uint64_t at)
      : root_(std::move(root)), error_(error), at_(at) {}

  int before(const SystemCall& call) override {
    const auto file_call = read_file_call(call);
    if (!file_call || file_call->kind == CallKind::none) return 0;
    const FileCall& file = *file_call;
    if (!path_below(file.path, root_) && !path_below(file.to_path, root_)) return 0;
    if (!can_fail(file, error_) || ++count_ != at_) return 0;
    what_ = fmt::format("system call {} on {} {}", call.number, file.path, file.to_path);
    return error_;
  }
  void after(const SystemCall&, std::int64_t) override {}

  std::uint64_t count() const { return count_; }
  const std::string& what() const { return what_; }

 private:
  std::string root_;
  int error_;
  std::uint64_t at_;
  std::uint64_t count_ = 0;
  std::string what_;
};

}  // namespace

Result<void> inject(const LabOptions& options, int error) {
  const Disk before = TRY(Disk::load(options.root));
  const TempDir scratch = TRY(TempDir::create());
  const std::string output = scratch.path("output");
  const std::string check_output = scratch.path("check");
  std::map<int, int> statuses;
  /// Fails the n-th call, none if it is 0; returns how many could have failed.
  const auto attempt = [&](std::uint64_t n) -> Result<std::uint64_t> {
    TRY(before.write_to(options.root));
    Injector injector(options.root, error, n);
    const int status = TRY(trace(options.command, output, injector));
    const int checked = TRY(run_shell(
        options.check, {fmt::format("STATUS={}", status), "OUTPUT=" + output}, check_output));
    if (n > 0) ++statuses[status];
    if (checked == 0 && (n > 0 || status == 0)) return injector.count();
    return Error(ErrorKind::tampered,
                 fmt::format("call {} ({}) failed, exit status {}: {}\nThe check: {}", n,
                             injector.what(), status, as_text(TRY(read_file(output, 1 << 20))),
                             as_text(TRY(read_file(check_output, 1 << 20)))));
  };

  const std::uint64_t calls = TRY(attempt(0));
  std::vector<std::uint64_t> faults(calls);
  std::iota(faults.begin(), faults.end(), 1);
  if (options.most > 0 && options.most < faults.size()) {
    std::mt19937_64 random(options.seed);
    std::shuffle(faults.begin(), faults.end(), random);
    faults.resize(options.most);
  }
  for (const std::uint64_t n : faults) TRY(attempt(n));
  TRY(before.write_to(options.root));
  std::string ends;
  for (const auto& [status, times] : statuses)
    ends += fmt::format(", exit status {} {} times", status, times);
  fmt::print("{} of {} calls failed in turn{}, seed {}\n", faults.size(), calls, ends,
             options.seed);
  return {};
}

}  // namespace intact::crash
