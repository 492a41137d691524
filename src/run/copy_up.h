#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/tree/file_tree.h>

#include "copy_budget.h"

namespace intact::run {

/// Copies what `directory` of the tree has, to all depths, into the empty directory `target`, which
/// nobody else may write to: contents, modes, owners (those that exist here), times, hard links,
/// access control lists and user attributes. Devices, and where they may not be made sockets and
/// pipes, are left out. The attributes of `target` itself are not touched. Every byte is read
/// through the tree, which verifies it. All that is copied counts towards `budget`, which also
/// limits the memory of this process. Errors: those of the tree, limit (over 256 levels), io
/// (ENOSPC: no room, there or in the budget).
Result<void> copy_up(const tree::FileTree& tree, tree::NodeId directory, const std::string& target,
                     CopyBudget& budget);

}  // namespace intact::run
