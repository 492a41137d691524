#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/json/json.h>

namespace intact::console {

/// A template as podman's `--format` takes it, of which scripts use this much of Go's language:
///
///     {{.Name}} {{.Config.User}}      a field, and one in it
///     {{json .Config}} {{json .}}     a field, or all of them, as JSON
///     {{index .Labels "some.key"}}    a member whose name is not a word, or the element of a list
///     \t \n                           tab and newline
///     table {{.Name}}\t{{.Size}}      columns with a heading, one for each tab
///     json                            everything as JSON
///
/// White space in the braces does not matter. Values print as Go prints them: lists as [a b].
class FormatTemplate {
 public:
  /// invalid_argument says what it is about the text that is not understood.
  static Result<FormatTemplate> parse(std::string_view text);

  /// Whether the whole of a result is wanted as JSON.
  bool is_json() const { return json_; }
  /// Whether render() begins with a line of headings.
  bool has_heading() const { return table_; }
  /// Whether the field is used, or may be.
  bool uses(std::string_view field) const;

  /// One line for each row, all with the same fields. invalid_argument for a field that the rows do
  /// not have; the message lists those that they have. Text from the rows comes out visible().
  /// `fields`: an example of a row, so that a wrong field is noticed without rows, too.
  Result<std::string> render(const std::vector<Json>& rows, const Json& fields) const;

 private:
  struct Piece {
    enum class Kind { text, field, json, index };
    Kind kind;
    std::string text;               ///< of text, or the key of an index
    std::vector<std::string> path;  ///< empty: the row itself
  };

  static Result<Piece> parse_action(std::string_view action);
  static Result<const Json*> find(const Json& row, const Piece& piece);
  Result<std::string> render_row(const Json& row) const;
  std::string heading() const;

  std::vector<Piece> pieces_;
  bool table_ = false;
  bool json_ = false;
};

/// Lines whose cells are parted by tabs, as columns of equal width. Characters count, not bytes.
std::string aligned_columns(std::string_view text);

}  // namespace intact::console
