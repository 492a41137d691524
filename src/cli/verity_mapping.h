#pragma once

#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/stack/volume.h>

#include "command.h"

namespace intact::cli {

/// A dm-verity device for the kernel to create.
struct VerityMapping {
  std::string name;
  stack::File data;
  stack::VerityLayer layer;
  std::vector<std::string> flags = {};  ///< of the kernel's table
  Bytes signature = {};                 ///< PKCS#7, of the root hash; empty: none
};

/// Makes it, with loop devices for plain files, after the same checks as without the kernel. What
/// veritysetup shows and closes is what veritysetup would have made. Errors as of create_mapping.
Result<void> map_verity(const VerityMapping& mapping);

/// `close` and `status` of the group `verity`.
void add_verity_mapping_commands(Program& program, CLI::App* group);

}  // namespace intact::cli
