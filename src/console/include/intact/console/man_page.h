#pragma once

#include <string>
#include <string_view>

#include <intact/console/command_model.h>

namespace intact::console {

struct PageInfo {
  std::string version;
  std::string date;  ///< of the release, YYYY-MM-DD
};

/// The name of a command's manual page: "intact-seal"; that of the program itself: "intact".
std::string page_name(const CommandModel& program, const CommandModel& command);

/// A manual page: synopsis, arguments, options and commands out of the model, the rest out of
/// `prose`, Markdown whose first part (before any heading) is the description. Commands of a group
/// are sections of its page; those of the program have pages of their own.
std::string make_man_page(const CommandModel& program, const CommandModel& command,
                          std::string_view prose, const PageInfo& info);

}  // namespace intact::console
