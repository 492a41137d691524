#pragma once

#include <string>

#include <intact/dm/target.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// The target "integrity": the kernel's arguments, with references for keys
/// (`internal_hash:hmac(sha256)::32:fd:11`), and one option that the kernel lacks, `legacy_hmac`:
/// see Params.
extern const dm::Target kDmTarget;

/// A device and how to open it, with words for the devices below.
struct LineSpec {
  Params params;
  std::string data;
  std::string meta = {};      ///< empty: the device below
  std::uint64_t sectors = 0;  ///< what the superblock says: the length of the line
};
/// The line for it. The keys get words of `names`.
Result<dm::Line> make_line(const LineSpec& spec, dm::Names& names);
/// A table of that line, with the beginning of the UUID by which integritysetup finds its devices:
/// the name of the device follows.
Result<dm::Table> make_table(const LineSpec& spec, dm::Names& names);

}  // namespace intact::integrity
