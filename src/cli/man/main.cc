// intact_man PROSE_DIR OUT_DIR DATE: writes the manual pages, PAGE.1 for each PAGE.md. A command
// without prose and prose without a command fail the build.
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/console/command_model.h>

#include "../commands.h"
#include "command.h"

namespace intact::cli {
namespace {

constexpr std::uint64_t kMaxProse = 1 << 20;

Result<void> write_pages(const std::string& prose_dir, const std::string& out_dir,
                         const PageInfo& info) {
  Program program;
  add_all_commands(program);
  const CommandModel model = make_model(program.app());
  std::set<std::string> written;
  const auto write = [&](const CommandModel& command) -> Result<void> {
    const std::string name = page_name(model, command);
    const Bytes prose = TRY(read_file(fmt::format("{}/{}.md", prose_dir, name), kMaxProse));
    const std::string page = make_man_page(model, command, as_text(prose), info);
    TRY(write_file_durably(fmt::format("{}/{}.1", out_dir, name), as_bytes(page), 0644));
    written.insert(name + ".md");
    return {};
  };
  TRY(write(model));
  for (const CommandModel& command : model.commands) {
    if (command.name != "help") TRY(write(command));
  }
  for (const auto& entry : std::filesystem::directory_iterator(prose_dir)) {
    const std::string file = entry.path().filename().string();
    if (!written.contains(file))
      return Error(ErrorKind::not_found, fmt::format("{}: no such command", file));
  }
  return {};
}

}  // namespace
}  // namespace intact::cli

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto written =
      intact::cli::write_pages(argv[1], argv[2], {.version = INTACT_VERSION, .date = argv[3]});
  if (written) return 0;
  fmt::print(stderr, "intact_man: {}\n", written.error().message());
  return 1;
}
