#include <intact/console/output.h>
#include <intact/console/size_option.h>
#include <intact/integrity/manage.h>
#include <intact/report/integrity.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

struct Options : IntegrityCommand {
  integrity::ResizeRequest request;
};

Result<int> resize(const Options& options) {
  const auto files = TRY(options.open_files(block::Access::read_write));
  const auto params = TRY(options.params(files.devices()));
  const integrity::Resized resized = TRY([&] {
    StepProgress line(options.progress, options.device);
    return integrity::resize(
        params, files.data, files.meta, options.request,
        [&line](std::uint64_t done, std::uint64_t total) { line.show("Filling", done, total); });
  }()
                                             .context(options.device));
  print_result(options.json, report::to_json(resized, options.device),
               report::to_text(resized, options.device,
                               options.data_device.empty() ? options.device : options.data_device));
  return 0;
}

}  // namespace

void add_integrity_resize_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "resize", "Change the size of a device", resize);
  options->add_device(command);
  CLI::Option* const size = add_size_option(
      command, "-b,--size", options->request.sectors,
      "New usable size (default: all available space); changes the length of the file to fit",
      SizeUnit::sector);
  command
      ->add_option("--device-size", options->request.file_size,
                   "New length of the file with the data")
      ->transform(whole_sectors())
      ->type_name("BYTES")
      ->excludes(size);
  command->add_flag(
      "--wipe", options->request.wipe,
      "Fill new sectors with zeros (default: keep their data and calculate tags for it)");
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_legacy_recalculate(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
