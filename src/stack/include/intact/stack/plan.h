#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/file_device.h>
#include <intact/dm/line.h>
#include <intact/dm/names.h>

namespace intact::stack {

/// How many tables a stack may have. Each may have a cache and a thread, and a hostile file may
/// nest volumes as often as it likes.
inline constexpr std::size_t kMaxTables = 6;

struct Opened;

/// Everything that is needed to open a stack of block devices, in this process or, with its files,
/// in another. Move-only.
struct Plan {
  std::string name;        ///< of the stack, in the log
  dm::File file;           ///< what is there without tables; null if the tables are all there is
  dm::File known_by = {};  ///< whose identity names the status socket; null: `file`
  bool read_only = false;  ///< nothing is to be written, whatever its files allow
  std::vector<dm::Table> tables = {};      ///< each on the devices of those before it
  dm::Names names = {};                    ///< what their words stand for
  std::vector<std::string> warnings = {};  ///< what the user gives up by what was said

  /// Its devices, if discover() has opened them to look into them: open() uses them.
  std::shared_ptr<Opened> opened = {};

  /// The word for the device of the last table, or of the file if there is none.
  Result<std::string> top();
  /// Adds a table, called after its place: "1" is the lowest.
  void add(dm::Table table);
  void add(dm::Line line);
};

/// The plan for the lines of a table that a user wrote, with names as dm::use_own_names() has them.
/// Its files are open for writing if `access` asks for it and no line makes the device read-only.
/// Errors of parsing lines and of opening files.
Result<Plan> plan_from_lines(std::string_view text, block::Access access);

/// For a plan that may be written to and that the kernel is about to open: makes the file writable
/// if the kernel would write to it although nothing above is written, as it replays the journal of
/// a dm-integrity device whatever that contains.
Result<void> prepare_for_kernel(Plan& plan);

/// Whether a table makes the stack read-only whatever is below it. Then its files need not be open
/// for writing. unsupported: an unknown target.
Result<bool> is_read_only(const Plan& plan);

/// Whether what the plan describes can be written to, as far as its files and targets say.
/// unsupported: an unknown target.
Result<bool> can_be_written(const Plan& plan);

/// A description for another process, and the descriptors that it names by number: see
/// dm::Names::pass_on(). It contains no keys.
struct Handover {
  std::string description;
  std::vector<int> descriptors;  ///< of the plan's names
};
/// Only once for a plan.
Result<Handover> hand_over(Plan& plan);

/// The other end of hand_over(). malformed or invalid_argument: anything but what it writes.
Result<Plan> take_over(std::string_view description);

}  // namespace intact::stack
