#include <algorithm>
#include <cctype>

#include <intact/console/command_model.h>

#include "roff.h"

namespace intact::console {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// The form after "NAME \-": a phrase in lower case.
std::string as_phrase(std::string text) {
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])))
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

std::string synopsis(const std::string& words, const CommandModel& command) {
  std::string out = "\\fB" + roff_code(words) + "\\fR";
  if (!command.options.empty()) out += " [\\fIOPTIONS\\fR]";
  if (!command.commands.empty()) out += " \\fICOMMAND\\fR ...";
  for (const OptionModel& positional : command.positionals) {
    std::string name = "\\fI" + roff_code(positional.names[0]) + "\\fR";
    if (positional.repeatable) name += "...";
    out += " " + (positional.required ? name : "[" + name + "]");
  }
  return out + "\n";
}

/// `require` in bold, FILE in italics.
std::string value_markup(const OptionModel& option) {
  // A long list of forms may be broken after each.
  std::string value = roff_code(option.value);
  for (std::size_t at = 0; (at = value.find('|', at)) != std::string::npos; at += 3)
    value.insert(at + 1, "\\:");
  return (option.value.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos ? "\\fB"
                                                                                        : "\\fI") +
         value + "\\fR";
}

std::string options_list(const std::vector<OptionModel>& options) {
  std::string out;
  for (const OptionModel& option : options) {
    out += ".TP\n";
    for (const std::string& name : option.names)
      out += (&name == &option.names.front() ? "" : ", ") + ("\\fB" + roff_code(name) + "\\fR");
    const bool is_positional = !option.names[0].starts_with("-");
    if (option.takes_value() && !(is_positional && option.value == option.names[0]))
      out += " " + value_markup(option);
    out += "\n" + roff_text(option.description) + ".";
    if (option.required && !is_positional) out += " Required.";
    const bool said = option.description.find("repeat") != std::string::npos ||
                      option.description.find("several") != std::string::npos;
    if (option.repeatable && !is_positional && !said) out += " May be given several times.";
    if (!option.default_value.empty())
      out += " Default: \\fB" + roff_code(option.default_value) + "\\fR.";
    out += "\n";
  }
  return out;
}

std::string section(const std::string& title, const std::string& text) {
  return text.empty() ? "" : ".SH " + title + "\n" + text;
}

/// " Also: ls."
std::string also(const CommandModel& command) {
  std::string out;
  for (const std::string& alias : command.aliases)
    out += (out.empty() ? " Also: \\fB" : "\\fR, \\fB") + roff_code(alias);
  return out.empty() ? out : out + "\\fR.";
}

/// Each command of a group, with its options.
std::string group_sections(const std::string& words, const CommandModel& group) {
  std::string out;
  for (const CommandModel& command : group.commands) {
    const std::string full = words + " " + command.name;
    out += ".SS " + roff_code(full) + "\n" + synopsis(full, command) + ".PP\n" +
           roff_text(command.description) + "." + also(command) + "\n" +
           options_list(command.positionals) + options_list(command.options);
  }
  return out;
}

/// The pages of other commands that the prose mentions, and the page about what all share.
std::string see_also(const CommandModel& program, const CommandModel& command,
                     std::string_view prose) {
  std::string out = ".SH SEE ALSO\n";
  for (const CommandModel& other : program.commands) {
    const bool mentioned = prose.find("`intact " + other.name + "`") != std::string_view::npos ||
                           prose.find("`intact " + other.name + " ") != std::string_view::npos;
    if (&other != &command && mentioned)
      out += "\\fB" + roff_code(page_name(program, other)) + "\\fR(1),\n";
  }
  return out +
         "\\fBintact\\fR(1), which describes exit status, files, environment and errors as JSON.\n";
}

std::string command_list(const CommandModel& program) {
  std::string out;
  for (const CommandModel& command : program.commands) {
    const bool page = command.name != "help";
    out += ".TP\n\\fB" + roff_code(page ? page_name(program, command) : "intact help") + "\\fR" +
           (page ? "(1)" : "") + "\n" + roff_text(command.description) + "." + also(command) + "\n";
  }
  return out;
}

}  // namespace

std::string page_name(const CommandModel& program, const CommandModel& command) {
  return &program == &command ? program.name : program.name + "-" + command.name;
}

std::string make_man_page(const CommandModel& program, const CommandModel& command,
                          std::string_view prose, const PageInfo& info) {
  const bool is_program = &program == &command;
  const std::string name = page_name(program, command);
  const std::string words = is_program ? program.name : program.name + " " + command.name;
  const std::size_t heading = std::min(prose.find("## "), prose.size());

  std::string out = ".TH " + roff_code(upper(name)) + " 1 " + info.date + " \"intact " +
                    info.version + "\" \"Intact Manual\"\n";
  out +=
      section("NAME", roff_code(name) + " \\- " + roff_text(as_phrase(command.description)) + "\n");
  std::string usage;
  if (is_program || command.commands.empty()) {
    usage = synopsis(words, command);
    // The parser does not know these.
    if (command.name == "run") usage.insert(usage.size() - 1, " [[\\fB\\-\\-\\fR] \\fICMD\\fR...]");
  } else {
    for (const CommandModel& sub : command.commands) {
      if (!usage.empty()) usage += ".br\n";
      usage += synopsis(words + " " + sub.name, sub);
    }
  }
  out += section("SYNOPSIS", usage);
  out += section("DESCRIPTION", roff_from_markdown(prose.substr(0, heading)));
  out += section("ARGUMENTS", options_list(command.positionals));
  if (is_program) {
    out += section("COMMANDS", command_list(program));
  } else {
    out += section("COMMANDS", group_sections(words, command));
  }
  out += section("OPTIONS", options_list(command.options));
  if (!command.footer.empty()) out += ".PP\n" + roff_text(command.footer) + "\n";
  out += roff_from_markdown(prose.substr(heading));
  if (!is_program) out += see_also(program, command, prose);
  return out;
}

}  // namespace intact::console
