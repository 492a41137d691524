#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <intact/base/output_file.h>
#include <intact/base/result.h>
#include <intact/report/block_map.h>
#include <intact/report/view.h>

namespace intact::cli {

/// The HTML page of a verification, opened before the verification begins. Whatever goes wrong with
/// it is told at once, on stderr, and is never the reason that a verdict is not reached.
class ReportFile {
 public:
  /// `path`: empty for no page, `-` for stdout.
  explicit ReportFile(const std::string& path);

  void write(const report::View& view);
  /// The page of a verification that ended with `error`. An error that is not a verdict on the
  /// image (no such image, wrong usage) makes no page.
  void write_failure(const std::string& image, const Error& error,
                     const report::Circumstances& circumstances = {});

  /// The exit status of the command: `verdict` unless that is 0 and the page could not be written.
  Result<int> end_with(int verdict);

 private:
  void note(Result<void> result);

  std::optional<OutputFile> file_;
  std::optional<Error> failure_;
};

/// What stdout can show: its width, whether its locale has more than ASCII, and colours unless
/// NO_COLOR is set. Neither of the last two where stdout is not a terminal.
report::TerminalStyle terminal_style();

/// Seconds since 1970.
std::int64_t current_time();

}  // namespace intact::cli
