#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/device.h>

namespace intact::dm {

// The language of device-mapper tables (Documentation/admin-guide/device-mapper/), which is how a
// stack of block devices is described here too: in this process, to another one, and to the kernel.
//
//     START SECTORS TARGET ARGUMENT...
//
// Words are separated by white space; a backslash makes the next character part of a word. A device
// among the arguments is named as names.h says. A key is never part of a line: what stands there is
// a reference, `:SIZE:TYPE:NAME`.

using block::kSectorSize;  ///< START and SECTORS count these

/// One line of a table.
struct Line {
  std::uint64_t start = 0;    ///< first sector in the device that the table makes
  std::uint64_t sectors = 0;  ///< how many
  std::string target;
  std::vector<std::string> arguments = {};  ///< words, without the escapes

  bool operator==(const Line&) const = default;
};

/// A device: lines that follow one another without gaps from sector 0 on.
struct Table {
  std::string name;       ///< of the device; names of lines below refer to it as dm:NAME
  std::string uuid = {};  ///< for the kernel; may be empty
  bool read_only = false;
  std::vector<Line> lines = {};

  bool operator==(const Table&) const = default;
};

/// Parses lines, one a line; empty ones and comments (#) are skipped. invalid_argument, with the
/// number of the line and what is wrong in it: not a line, no lines at all, a gap or an overlap, or
/// a device of 2^54 sectors or more. What the arguments mean is up to the target.
Result<std::vector<Line>> parse_lines(std::string_view text);
/// The inverse. One line each, with a newline between two.
std::string to_text(const std::vector<Line>& lines);
std::string to_text(const Line& line);

/// Tables in the form of `dmsetup --concise` and the kernel's dm-mod.create=, the lowest first:
///     NAME,UUID,MINOR,FLAGS,LINE[,LINE...][;NAME,...]
/// MINOR is empty, FLAGS is ro or rw. A backslash escapes , ; and itself. invalid_argument.
Result<std::vector<Table>> parse_concise(std::string_view text);
std::string to_concise(const std::vector<Table>& tables);

/// A word as messages quote it: made printable, and without the digits if it may be a key.
std::string quoted(std::string_view word);

/// The words of a line or of a part of it, without the escapes.
std::vector<std::string> split_words(std::string_view text);

/// Takes the arguments of a line one by one. Errors are invalid_argument and name the target, the
/// word by its number and meaning, what it is, and what was expected:
///     verity: argument 4 (data block size): '13' is not ...
class Arguments {
 public:
  explicit Arguments(const Line& line) : line_(line) {}

  std::string_view target() const { return line_.target; }
  bool at_end() const { return next_ == line_.arguments.size(); }
  std::size_t left() const { return line_.arguments.size() - next_; }
  /// `what`: the meaning of the word, as the kernel's documentation names it.
  Result<std::string> word(std::string_view what);
  Result<std::uint64_t> number(std::string_view what, std::uint64_t max = UINT64_MAX);
  Result<std::uint32_t> number32(std::string_view what);
  /// Hexadecimal digits; "-" stands for none.
  Result<Bytes> bytes(std::string_view what);
  /// The number of optional words that follow, which must all be there and be the last.
  Result<std::size_t> count_of_options(std::size_t max);
  Result<void> end() const;

  /// An error about the word that was taken last.
  Error wrong(std::string_view what, std::string_view expected) const;

 private:
  const Line& line_;
  std::size_t next_ = 0;
};

}  // namespace intact::dm
