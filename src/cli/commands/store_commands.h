#pragma once

#include <string>
#include <vector>

#include <intact/base/result.h>

#include "command.h"
#include "store_option.h"

namespace intact::cli {

/// What the commands on a store are given.
struct StoreCommandOptions {
  std::vector<std::string> names;
  std::string old_name;  ///< of tag
  std::string new_name;
  std::string format;
  bool all = false;
  bool dry_run = false;
  bool json = false;
  bool digests = false;
  bool quiet = false;
  bool sizes = false;
  bool replace = false;
};

Result<int> list_images(const StoreCommandOptions& options, const StoreOption& store);
Result<int> inspect_image(const StoreCommandOptions& options, const StoreOption& store);
Result<int> check_store(const StoreCommandOptions& options, const StoreOption& store);

}  // namespace intact::cli
