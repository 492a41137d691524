#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/block/file_device.h>
#include <intact/dm/names.h>
#include <intact/stack/plan.h>
#include <intact/stack/probe.h>

namespace intact::stack {

/// Finds the layers of a file: each is probed through those below it, which are opened for reading,
/// until the content is not a volume. The file and those in the credentials are open and locked for
/// reading; what was probed is what the plan contains, and the devices that were opened to look
/// into them are those that open() returns. If all layers can be written and `access` asks for it,
/// the file is open for writing afterwards. Nothing that can be verified is opened unverified, and
/// a header never counts more than what the user says. `name` is what messages call the file.
///
/// invalid_argument: the user must say more, with the option; unsupported: content that is not a
/// disk image or that no prober knows how to open; malformed: a volume that the credentials are for
/// is missing; limit: more than kMaxTables layers. Otherwise errors of the formats.
Result<Plan> discover(const std::string& name, dm::File file, const Credentials& credentials,
                      block::Access access);

}  // namespace intact::stack
