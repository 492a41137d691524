#include <algorithm>
#include <numeric>
#include <random>
#include <unordered_set>

#include <fmt/format.h>

#include <intact/base/file.h>

#include "crash_states.h"
#include "lab.h"
#include "recorder.h"

namespace intact::crash {
namespace {

constexpr std::uint64_t kRandomLosses = 20;  // for each point in time

std::vector<CrashPoint> all_points(std::size_t operations, std::uint64_t seed) {
  std::vector<CrashPoint> points;
  for (std::size_t done = 0; done <= operations; ++done) {
    for (const Loss loss : {Loss::nothing, Loss::everything, Loss::contents, Loss::zeros})
      points.push_back({done, loss});
    for (std::uint64_t i = 0; i < kRandomLosses; ++i)
      points.push_back({done, Loss::random, seed + done * kRandomLosses + i});
  }
  return points;
}

}  // namespace

Result<void> replay(const LabOptions& options) {
  const Disk before = TRY(Disk::load(options.root));
  const TempDir scratch = TRY(TempDir::create());
  const std::string output = scratch.path("output");
  Recorder recorder(options.root, before);
  const int status = TRY(trace(options.command, output, recorder));
  const auto said = TRY(read_file(output, 1 << 20));
  if (status != 0)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("the command ended with {}: {}", status, as_text(said)));
  TRY(recorder.check());
  const std::vector<Operation>& operations = recorder.operations();

  std::vector<CrashPoint> points = all_points(operations.size(), options.seed);
  std::mt19937_64 random(options.seed);
  if (options.most > 0) {
    std::shuffle(points.begin(), points.end(), random);
    // What must hold once the command has ended is worth the most.
    std::partition(points.begin(), points.end(), [&](const CrashPoint& point) {
      return point.done == operations.size() && point.loss != Loss::random;
    });
  }
  std::unordered_set<std::size_t> seen;
  for (const CrashPoint& point : points) {
    if (options.most > 0 && seen.size() >= options.most) break;
    const Disk disk = crash_state(before, operations, point);
    const bool ended = point.done == operations.size();
    if (!seen.insert(std::hash<std::string>()(disk.describe() + (ended ? "1" : "0"))).second)
      continue;
    TRY(disk.write_to(options.root));
    if (TRY(run_shell(options.check, {fmt::format("ENDED={:d}", ended)}, output)) == 0) continue;
    TRY(disk.write_to(options.root));
    return Error(
        ErrorKind::tampered,
        fmt::format("{}: {}\nThe operations:\n{}", point.text(operations),
                    as_text(TRY(read_file(output, 1 << 20))),
                    std::accumulate(operations.begin(), operations.end(), std::string(),
                                    [n = 0](std::string all, const Operation& one) mutable {
                                      return all + fmt::format("{:4} {}\n", ++n, one.text);
                                    })));
  }
  fmt::print("{} operations, {} different states after a crash, seed {}\n", operations.size(),
             seen.size(), options.seed);
  return {};
}

}  // namespace intact::crash
