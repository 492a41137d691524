#include <memory>

#include <intact/store/store.h>

#include "command.h"
#include "commands.h"
#include "completion.h"

namespace intact::cli {
namespace {

std::vector<std::string> image_names(const std::string& directory) {
  std::vector<std::string> names;
  const auto store =
      store::Store::open(directory.empty() ? store::Store::default_path() : directory);
  if (!store) return names;
  std::vector<Error> damaged;
  const auto images = (*store)->list(&damaged);
  if (!images) return names;
  for (const store::NamedImage& image : *images) names.push_back(image.name);
  return names;
}

/// Hidden: only the shells' scripts say it.
constexpr const char* kName = "__complete";

}  // namespace

void add_complete_command(Program& program) {
  CLI::App* command = program.add(program.app(), kName, "What may stand in place of the last word");
  command->group("");  // not shown
  const auto words = std::make_shared<std::vector<std::string>>();
  // Other commands' options are not ours to parse.
  program.before_parsing([words](std::vector<std::string>& all) {
    if (all.empty() || all.front() != kName) return;
    words->assign(all.begin() + 1, all.end());
    all.resize(1);
  });
  program.on_chosen(command, [words, &program]() -> Result<int> {
    if (words->empty()) words->emplace_back();
    const Completion completion = complete(make_model(program.app()), *words, image_names);
    print("{}", to_lines(completion, words->back()));
    return 0;
  });
}

}  // namespace intact::cli
