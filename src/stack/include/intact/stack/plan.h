#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
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

/// Whether a table makes the stack read-only whatever is below it. Then its files need not be open
/// for writing. unsupported: an unknown target.
Result<bool> is_read_only(const Plan& plan);

/// Whether what the plan describes can be written to, as far as its files and targets say.
/// unsupported: an unknown target.
Result<bool> can_be_written(const Plan& plan);

}  // namespace intact::stack
