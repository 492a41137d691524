#pragma once

#include <cstdint>
#include <string>

#include <intact/base/result.h>
#include <intact/report/block_map.h>
#include <intact/report/view.h>

namespace intact::cli {

/// Writes the page to `file`, whole or not at all.
Result<void> write_report(const std::string& file, const report::View& view);
/// The page of a verification that ended with `error`. What is no verdict on the image (no such
/// image, wrong usage) makes no page.
Result<void> write_failure_report(const std::string& file, const std::string& image,
                                  const Error& error);

/// What stdout can show: its width, whether its locale has more than ASCII, colours unless
/// NO_COLOR. Neither of these where it is no terminal.
report::TerminalStyle terminal_style();

/// Seconds since 1970.
std::int64_t current_time();

}  // namespace intact::cli
