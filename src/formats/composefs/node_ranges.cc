#include "node_ranges.h"

#include <algorithm>

#include <intact/base/checked.h>
#include <intact/base/worker_pool.h>

namespace intact::composefs {
namespace {

constexpr std::size_t kFewest = 2048;  // inodes of a range

}  // namespace

std::vector<NodeRange> node_ranges(std::size_t nodes, unsigned threads) {
  if (threads == 0) threads = available_processors();
  // Two for each thread, since some inodes take longer than others.
  const std::size_t wanted = threads == 1 ? 1 : std::size_t{threads} * 2;
  const std::size_t count = std::clamp<std::size_t>(nodes / kFewest, 1, wanted);
  const std::size_t size = divide_up(nodes, count);
  std::vector<NodeRange> ranges;
  for (std::size_t begin = 0; begin < nodes; begin += size)
    ranges.push_back({.begin = static_cast<NodeNumber>(begin),
                      .end = static_cast<NodeNumber>(std::min(nodes, begin + size))});
  return ranges;
}

Result<void> for_each_range(std::size_t count, unsigned threads,
                            const std::function<Result<void>(std::size_t)>& work) {
  if (count == 1) return work(0);
  WorkerPool pool(threads);
  for (std::size_t i = 0; i < count; ++i) pool.submit([&work, i] { return work(i); });
  return pool.wait();
}

}  // namespace intact::composefs
