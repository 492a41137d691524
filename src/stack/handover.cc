#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <intact/stack/plan.h>

namespace intact::stack {
namespace {

// FILE KNOWN_BY SIZE, the words for the two files ("-" for none) and the length of the name; then
// the name, which may contain anything; then the tables in the concise form.
constexpr std::string_view kNone = "-";

Error malformed() {
  return {ErrorKind::malformed, "stack description: not what this version passes on"};
}

/// The text up to the next newline, which is removed too.
std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

Result<Handover> hand_over(Plan& plan) {
  const auto word = [&plan](const dm::File& file) -> Result<std::string> {
    return file ? plan.names.add(file) : Result<std::string>(std::string(kNone));
  };
  Handover handover;
  handover.description =
      fmt::format("{} {} {}\n{}\n{}", TRY(word(plan.file)), TRY(word(plan.known_by)),
                  plan.name.size(), plan.name, dm::to_concise(plan.tables));
  handover.descriptors = TRY(plan.names.pass_on());
  return handover;
}

Result<Plan> take_over(std::string_view description) {
  const std::string_view all = description;
  const dm::Line head{.target = "stack", .arguments = dm::split_words(take_line(description))};
  dm::Arguments words(head);
  const std::string file = TRY(words.word("file"));
  const std::string known_by = TRY(words.word("file with a name"));
  const std::uint64_t name_size = TRY(words.number("size of the name", description.size()));
  TRY(words.end());
  Plan plan{.name = std::string(description.substr(0, name_size)), .file = {}};
  plan.names = dm::Names::of_inherited_descriptors();
  if (description.size() <= name_size || description[name_size] != '\n') return malformed();
  description.remove_prefix(name_size + 1);
  if (file != kNone) plan.file = TRY(plan.names.file(file));
  if (known_by != kNone) plan.known_by = TRY(plan.names.file(known_by));
  if (!description.empty()) plan.tables = TRY(dm::parse_concise(description));
  if (!plan.file && plan.tables.empty()) return malformed();
  // What was not understood must not be left out: exactly this is what hand_over() would write.
  if (all != fmt::format("{} {} {}\n{}\n{}", file, known_by, name_size, plan.name,
                         dm::to_concise(plan.tables)))
    return malformed();
  return plan;
}

}  // namespace intact::stack
