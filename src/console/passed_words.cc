#include <algorithm>
#include <iterator>

#include <intact/console/program.h>

namespace intact::console {
namespace {

/// How many of the words after an option are its value.
std::size_t values_after(const CLI::App& command, const std::string& word) {
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

bool is_option(const std::string& word) {
  return word.size() > 1 && word.front() == '-' && word != "--";
}

/// The first word from `i` on that is neither an option nor the value of one.
std::size_t skip_options(const std::vector<std::string>& all, std::size_t i,
                         const CLI::App& command) {
  while (i < all.size() && is_option(all[i])) i += 1 + values_after(command, all[i]);
  return std::min(i, all.size());
}

/// "--key" of "--key=FILE".
std::string name_of(const std::string& word) {
  return word.substr(0, word.find('='));
}

}  // namespace

PassedWords take_passed_words(std::vector<std::string>& all, const CLI::App& command,
                              const std::vector<std::string_view>& late_options) {
  PassedWords taken;
  const auto erase = [&](std::size_t at) {
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
  };
  std::size_t i = skip_options(all, 1, command);
  const bool options_first = i > 1;
  if (i < all.size() && all[i] == "--") {
    erase(i);  // the next word is the name, whatever it looks like
    i = std::min(i + 1, all.size());
  } else if (i < all.size()) {
    ++i;
    if (!options_first && i < all.size() &&
        std::ranges::find(late_options, name_of(all[i])) != late_options.end()) {
      taken.late_option = name_of(all[i]);
      i = skip_options(all, i, command);
    }
  }
  if (i < all.size() && all[i] == "--") erase(i);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i);
  taken.words.assign(std::make_move_iterator(begin), std::make_move_iterator(all.end()));
  all.erase(begin, all.end());
  return taken;
}

}  // namespace intact::console
