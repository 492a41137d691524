#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/output_file.h>
#include <intact/image/verify.h>
#include <intact/tree/tree.h>

namespace intact::report {

/// One link of the chain of trust.
struct Link {
  enum class Status { good, bad, unreached };
  std::string title;   ///< "Signature"
  std::string value;   ///< a digest, a fingerprint; may be empty
  std::string detail;  ///< a sentence for people
  Status status = Status::unreached;
};

/// Something that the reader may want to know about the verification.
struct Fact {
  std::string title;  ///< "Store"
  std::string value;
};

/// What the reader can do about the result.
struct Step {
  std::string text;     ///< a sentence
  std::string command;  ///< for a shell; may be empty
};

/// How the verification was made: what the report room cannot know by itself. All of it is
/// optional.
struct Circumstances {
  std::string host;
  std::string store;          ///< path; empty for an image in a layout or archive
  bool default_store = true;  ///< commands need no --store
  std::string policy;         ///< whose keys were trusted: a policy's path, or key files
  std::string signer_label;   ///< what the policy calls the key
  double seconds = 0;         ///< that it took
  /// Names of the other images that need an object ("objects/ab/cdef...") of those damaged.
  std::map<std::string, std::vector<std::string>> also_in = {};
};

/// A file content in the store, once for all files that show it.
struct Content {
  std::string path;                       ///< of the first file that shows it
  std::string object;                     ///< path below the store
  std::uint64_t blocks = 0;               ///< of 4096 bytes, at least one; the last maybe shorter
  std::vector<std::uint64_t> bad_blocks;  ///< in order
  /// Damaged at a place that nobody can tell: all of it is unknown.
  bool unknown = false;
  std::vector<std::string> also_in;  ///< other images that need a damaged object
};

/// A name in the image's tree. Rows are in walk order: a directory, then all below it.
struct Row {
  std::string name;  ///< last component; "/" for the root
  std::size_t depth = 0;
  std::uint32_t mode = 0;
  std::uint64_t size = 0;       ///< bytes; of a directory: all files below it
  std::uint64_t files = 0;      ///< directories: names below
  std::uint64_t damaged = 0;    ///< damaged files below, or 1 for one
  std::string target;           ///< of a symbolic link
  std::size_t content = kNone;  ///< index into View::contents

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

/// All that a report of a verification shows. Strings are as hostile as the image: code that prints
/// them escapes them.
struct View {
  std::string name;
  std::int64_t time = 0;  ///< of the verification, seconds since 1970
  bool ok = false;
  bool from_layers = false;  ///< of a layout or archive; without rows, contents are its layers
  std::string failure;       ///< why there is no more to show; empty if all links were walked
  std::vector<Fact> facts;
  std::vector<Step> next;
  std::vector<Link> chain;
  std::vector<Row> rows;
  std::vector<Content> contents;
  std::vector<Damage> damage;
  std::uint64_t damaged_files = 0;
  std::uint64_t bytes = 0;  ///< that were hashed
};

/// `tree` is that of the image, null when its metadata (or what layers make of it) is damaged.
View make_view(const std::string& name, std::int64_t time, const image::VerifyReport& report,
               const tree::Tree* tree, const Circumstances& circumstances = {});

/// The view of an image whose chain is broken above the image itself.
View make_failed_view(const std::string& name, std::int64_t time, const Error& error,
                      const Circumstances& circumstances = {});

/// One page that needs nothing else: no scripts, no fonts, no network, and a policy in its head
/// that says so to the browser. It shows the verdict, the chain of trust link by link, the damage,
/// a map of all blocks and the tree. Light or dark as the reader has it.
std::string to_html(const View& view);

/// The HTML page of a verification, opened before the verification begins. Whatever goes wrong with
/// it is a warning at once, and never the reason that a verdict is not reached.
class PageFile {
 public:
  using Warn = std::function<void(const std::string& text)>;
  /// `path`: empty for no page, `-` for stdout, which the caller has flushed whenever a page is
  /// written.
  PageFile(const std::string& path, Warn warn);

  void write(const View& view);
  /// The page of a verification that ended with `error`. An error that is not a verdict on the
  /// image (no such image, wrong usage) makes no page. `time`: seconds since 1970.
  void write_failure(const std::string& image, std::int64_t time, const Error& error,
                     const Circumstances& circumstances = {});

  /// Why there is no page, if one was asked for.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  void note(Result<void> result);

  Warn warn_;
  std::optional<OutputFile> file_;
  std::optional<Error> failure_;
};

/// One square of a map: some blocks in a row, of one content or several.
struct Cell {
  std::size_t group = 0;  ///< index into BlockMap::groups, of the first block
  std::uint64_t bad_blocks = 0;
  std::size_t bad_content = 0;  ///< the first content with a bad block here; only if there are any
  bool unknown = false;         ///< begins within content of which nothing can be told
};

/// A folder of the image, as the map colours it.
struct Group {
  std::string folder;  ///< "/usr/lib"
  std::uint64_t blocks = 0;
};

/// All blocks of an image on at most a given number of squares. A square with a single bad block
/// among thousands is a bad one, so that no damage is too small to be seen.
struct BlockMap {
  std::uint64_t blocks_per_cell = 1;
  std::uint64_t blocks = 0;
  std::uint64_t bad_blocks = 0;
  std::uint64_t unknown_blocks = 0;  ///< damaged or not, nobody knows
  std::vector<Cell> cells;
  std::vector<Group> groups;
};

BlockMap make_block_map(const std::vector<Content>& contents, std::uint64_t most_cells);

struct TerminalStyle {
  std::size_t columns = 80;
  bool unicode = false;
  bool colour = false;
};
/// What a descriptor can show: the width of its terminal, whether the locale has more than ASCII,
/// and colours unless NO_COLOR is set. Neither of the last two where it is not a terminal. Sets the
/// locale of characters to that of the environment. Not thread-safe.
TerminalStyle style_of(int fd);

/// The map for a terminal, as lines with their ends: a bar for each directory, as long as what is
/// in it, in which damage is marked. Plain ASCII where neither is asked for.
std::string to_terminal(const View& view, const TerminalStyle& style);

}  // namespace intact::report
