#pragma once

#include <vector>

#include <intact/report/view.h>

namespace intact::report {

/// Whatever is known of how the verification was made.
std::vector<Fact> make_facts(const image::VerifyReport& report, const Circumstances& circumstances);

/// What to do about the result in `view`, with the commands that do it.
std::vector<Step> steps_after(const View& view, const image::VerifyReport& report,
                              const Circumstances& circumstances);
std::vector<Step> steps_after_failure(const View& view, const Error& error,
                                      const Circumstances& circumstances);

/// `word` as one word of a shell's command line.
std::string shell_quoted(const std::string& word);

}  // namespace intact::report
