#include "next_steps.h"

#include <algorithm>

#include <fmt/format.h>

#include <intact/base/visible.h>

namespace intact::report {
namespace {

std::string duration_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

/// A command, unless a name in it cannot be shown as it is: then copying it would do another thing.
std::string command(const std::vector<std::string>& words) {
  std::string text = "intact";
  for (const std::string& word : words) {
    if (visible_message(word) != word) return "";
    text += " " + shell_quoted(word);
  }
  return text;
}

/// `words`, for the store that was verified.
std::string on_store(std::vector<std::string> words, const Circumstances& circumstances) {
  if (!circumstances.default_store && !circumstances.store.empty())
    words.insert(words.end(), {"--store", circumstances.store});
  return command(words);
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  constexpr std::string_view kPlain = "_./:@%+=,-";
  const bool is_plain = !word.empty() && std::ranges::all_of(word, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  });
  if (is_plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::vector<Fact> make_facts(const image::VerifyReport& report,
                             const Circumstances& circumstances) {
  std::vector<Fact> facts;
  const auto add = [&facts](std::string title, std::string value) {
    if (!value.empty()) facts.push_back({std::move(title), std::move(value)});
  };
  add("Host", circumstances.host);
  add("Store", circumstances.store);
  add("Pulled from", report.source);
  if (report.signer && report.signer->is_signed())
    add("Signed by", circumstances.signer_label.empty() ? report.signer->key_fingerprint
                                                        : circumstances.signer_label + " (" +
                                                              report.signer->key_fingerprint + ")");
  add("Trust from", circumstances.policy);
  if (circumstances.seconds > 0) add("Duration", duration_text(circumstances.seconds));
  return facts;
}

std::vector<Step> steps_after(const View& view, const image::VerifyReport& report,
                              const Circumstances& circumstances) {
  if (view.ok) return {};
  std::vector<Step> steps;
  if (view.from_layers) {
    steps.push_back(
        {"Get the image from its origin again: this copy cannot be repaired from itself.", ""});
    steps.push_back({"Then verify it again.", command({"verify", view.name})});
    return steps;
  }
  const std::string& name = report.name.empty() ? view.name : report.name;
  // The image stays mounted as it is; what is damaged in it keeps failing until it is replaced.
  steps.push_back({"Pull the image again with --verify. Everything that is damaged is replaced.",
                   report.source.empty()
                       ? std::string()
                       : on_store({"pull", report.source, name, "--verify"}, circumstances)});
  steps.push_back({"Then verify it again.", on_store({"verify", name}, circumstances)});
  const bool is_shared = std::ranges::any_of(
      view.contents, [](const Content& content) { return !content.also_in.empty(); });
  if (is_shared)
    steps.push_back(
        {"Other images share damaged objects, see below. The pull repairs these "
         "objects for all of them.",
         on_store({"fsck"}, circumstances)});
  steps.push_back(
      {"If the damage comes back, look for a failing disk, or for someone who can write "
       "to the store.",
       ""});
  return steps;
}

std::vector<Step> steps_after_failure(const View& view, const Error& error,
                                      const Circumstances& circumstances) {
  if (error.kind() == ErrorKind::untrusted)
    return {{"Do not use the image until you know who made it.", ""},
            {"See which keys are trusted, and for which images.", command({"trust", "list"})},
            {"If you expected another signer, get the image from a source that you trust.", ""}};
  std::vector<Step> steps;
  steps.push_back({circumstances.store.empty() ? "Get the image from its origin again."
                                               : "Pull the image again from where it came, with "
                                                 "--verify. Everything that is damaged is "
                                                 "replaced.",
                   ""});
  steps.push_back({"Then verify it again.", on_store({"verify", view.name}, circumstances)});
  return steps;
}

}  // namespace intact::report
