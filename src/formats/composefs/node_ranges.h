#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include <intact/base/result.h>

#include "numbering.h"

namespace intact::composefs {

/// Inodes from `begin` on, up to `end`: what one thread works on at a time.
struct NodeRange {
  NodeNumber begin;
  NodeNumber end;
};

/// Cuts `nodes` inodes into ranges for `threads` threads (0: one per processor); a single one where
/// starting threads would take longer than the work.
std::vector<NodeRange> node_ranges(std::size_t nodes, unsigned threads);

/// Calls `work` with each number below `count`, in no order and by several threads. Returns the
/// first error; what has not begun by then is left out.
Result<void> for_each_range(std::size_t count, unsigned threads,
                            const std::function<Result<void>(std::size_t)>& work);

}  // namespace intact::composefs
