#include <memory>

#include <intact/base/file.h>
#include <intact/console/completion.h>
#include <intact/oci/image_source.h>
#include <intact/rootfs/mounts.h>
#include <intact/store/store.h>

#include "command.h"
#include "commands.h"

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

std::vector<std::string> layout_tags(const std::string& directory) {
  const auto source = oci::ImageSource::open(
      {.transport = oci::Reference::Transport::oci, .path = directory, .tag = {}});
  return source ? (*source)->names() : std::vector<std::string>();
}

std::vector<std::string> mounted_images() {
  std::vector<std::string> directories;
  const auto mounts = rootfs::list_mounts();
  if (!mounts) return directories;
  for (const rootfs::Mount& mount : *mounts) directories.push_back(mount.directory());
  return directories;
}

/// Hidden: only the shells' scripts call it.
constexpr const char* kName = "__complete";

}  // namespace

void add_complete_command(Program& program) {
  CLI::App* command = program.add(program.app(), kName, "Complete the last word");
  command->group("");  // not shown
  const auto words = std::make_shared<std::vector<std::string>>();
  // Other commands' options are not to be parsed here.
  program.before_parsing([words](std::vector<std::string>& all) {
    if (all.empty() || all.front() != kName) return;
    words->assign(all.begin() + 1, all.end());
    all.resize(1);
  });
  program.on_chosen(command, [words, &program]() -> Result<int> {
    if (words->empty()) words->emplace_back();
    const Completion completion =
        complete(make_model(program.app()), *words,
                 {.images = image_names, .tags = layout_tags, .mounts = mounted_images});
    print("{}", to_lines(completion, words->back()));
    return 0;
  });
}

}  // namespace intact::cli
