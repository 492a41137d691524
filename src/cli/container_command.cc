#include "container_command.h"

#include <algorithm>
#include <iterator>

namespace intact::cli {
namespace {

/// How many of the words behind an option are its value.
std::size_t values_behind(const CLI::App& command, const std::string& word) {
  const auto takes_value = [&](const std::string& name) {
    const CLI::Option* option = command.get_option_no_throw(name);
    return option != nullptr && option->get_items_expected_max() > 0;
  };
  if (word.starts_with("--"))
    return word.find('=') == std::string::npos && takes_value(word) ? 1 : 0;
  // "-it": of several letters the first with a value takes the rest of the word, or the next one.
  for (std::size_t i = 1; i < word.size(); ++i)
    if (takes_value(std::string("-") + word[i])) return i + 1 == word.size() ? 1 : 0;
  return 0;
}

}  // namespace

std::vector<std::string> take_container_command(std::vector<std::string>& all,
                                                const CLI::App& command) {
  bool named = false;
  std::size_t i = 1;
  for (; i < all.size(); ++i) {
    if (all[i] == "--") {
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
      if (!named) ++i;  // the next word is the name, whatever it looks like
      break;
    } else if (all[i].size() > 1 && all[i].front() == '-') {
      i += values_behind(command, all[i]);
    } else if (named) {
      break;
    } else {
      named = true;
    }
  }
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(std::min(i, all.size()));
  std::vector<std::string> taken(std::make_move_iterator(begin),
                                 std::make_move_iterator(all.end()));
  all.erase(begin, all.end());
  return taken;
}

}  // namespace intact::cli
