#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/block/file_device.h>
#include <intact/dm/names.h>
#include <intact/dm/prober.h>
#include <intact/json/json.h>
#include <intact/stack/plan.h>
#include <intact/stack/stack.h>

namespace intact::stack {

/// What the user says about the volumes of a file: at most one for each format.
using Credentials = std::vector<std::shared_ptr<const dm::Credentials>>;

/// What a device claims to contain. Not verified.
struct Content {
  std::string format;        ///< in JSON: "verity", "luks2", "erofs"
  std::string title;         ///< for people: "dm-verity"
  std::uint64_t offset = 0;  ///< byte at which its header or superblock begins
  Json facts;                ///< an object: the fields of its header, by the format's own names
};

/// Lists what a device contains, the outermost layer first: volumes, as far as they can be looked
/// into without keys, then a file system or an archive. Empty if no format is known; kMaxTables + 1
/// at most. Nothing is verified. Only the credentials that say where a header is count. Returns
/// errors of reading the device itself; where a volume cannot be read, the list ends.
Result<std::vector<Content>> probe(std::shared_ptr<block::Device> device,
                                   const Credentials& credentials = {});

/// Finds the layers of a file: each is probed through those below it, which are opened for reading,
/// until the content is not a volume. The file and those in the credentials are open and locked for
/// reading; what was probed is what the plan contains, and the devices that were opened to look
/// into them are those that open() returns. If all layers can be written and `access` asks for it,
/// the file is open for writing afterwards. `writing` is by_kernel if it is the kernel that opens
/// the plan, and the devices are opened as for it. Nothing that can be verified is opened
/// unverified, and a header never counts more than what the user says. `name` is what messages call
/// the file.
///
/// invalid_argument: the user must say more, with the option; unsupported: content that is not a
/// disk image or that no prober knows how to open; malformed: a volume that the credentials are for
/// is missing; limit: more than kMaxTables layers. Otherwise errors of the formats.
Result<Plan> discover(const std::string& name, dm::File file, const Credentials& credentials,
                      block::Access access, Writing writing = Writing::never);

}  // namespace intact::stack
