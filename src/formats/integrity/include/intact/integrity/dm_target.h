#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/crypto/secret.h>
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

// --- what the kernel prints ---------------------------------------------------------------------

/// A line of a device-mapper table for the target "integrity", without start, length and the
/// target's name: "DEVICE START TAG MODE COUNT OPTION...".
struct TableLine {
  std::string device;
  Params params;
  std::string meta_device = {};  ///< empty: none
};

/// Finds the key for a reference, `:SIZE:TYPE:NAME`.
using KeyLookup =
    std::function<Result<std::shared_ptr<const crypto::Secret>>(std::string_view reference)>;

/// Error invalid_argument, with the kernel's messages, for text that does not have this form. Words
/// after the counted options are ignored, as in the kernel. check_params() checks whether the
/// params make sense together.
Result<TableLine> parse_table(std::string_view line);
/// The same for words, with references for keys, and with `legacy_hmac`, which the kernel lacks.
Result<TableLine> parse_table(std::span<const std::string> words, const KeyLookup& keys);

}  // namespace intact::integrity
