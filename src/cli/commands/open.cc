#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/base/visible.h>
#include <intact/block/file_device.h>
#include <intact/console/input_file.h>
#include <intact/json/json.h>
#include <intact/kernel/device_mapper.h>
#include <intact/report/contents.h>
#include <intact/stack/discover.h>

#include "command.h"
#include "commands.h"
#include "front_end.h"
#include "volume_options.h"

namespace intact::cli {
namespace {

constexpr const char* kRaw = "raw";

// --- info ---------------------------------------------------------------------------------------

struct InfoOptions {
  std::string file;
  AllVolumeOptions volumes;
  bool json = false;
};

Result<int> info(const InfoOptions& options) {
  // Without a lock, since it may be in use; a FIFO is refused and not waited for.
  UniqueFd fd = TRY(open_file(options.file, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  const dm::File file =
      TRY(block::FileDevice::create(std::move(fd), block::Access::read_only).context(options.file));
  block::DeviceFiles files(block::Access::read_only);
  const report::FoundLayers found{
      .file = options.file,
      .size = file->size(),
      .layers = TRY(stack::probe(file, TRY(options.volumes.credentials(files, file))))};
  print("{}", options.json ? to_text(report::to_json(found)) + "\n" : report::to_text(found));
  return 0;
}

// --- open ---------------------------------------------------------------------------------------

struct OpenOptions {
  std::string file;
  AllVolumeOptions volumes;
  FrontEnd front_end;
  std::string format;  // empty: by content
  std::string table;   // text, or "-" for stdin
};

constexpr std::size_t kMaxTable = 1 << 20;  // bytes

Result<stack::Plan> plan_from_table(const OpenOptions& options, block::Access access) {
  const std::string text = options.table == "-"
                               ? std::string(as_text(TRY(read_input(options.table, kMaxTable))))
                               : options.table;
  return stack::plan_from_lines(text, access).context("--table");
}

Result<stack::Plan> plan_from_content(const OpenOptions& options, block::Access access,
                                      stack::Writing writing) {
  block::DeviceFiles files(block::Access::read_only);
  const dm::File file = TRY(files.open(options.file));
  const stack::Credentials credentials = TRY(options.volumes.credentials(files, file));
  stack::Plan plan = TRY(stack::discover(options.file, file, credentials, access, writing));
  for (const std::string& warning : plan.warnings) warn(warning);
  return plan;
}

/// `writing`: by_kernel if the kernel opens the plan.
Result<stack::Plan> prepare(const OpenOptions& options, block::Access access,
                            stack::Writing writing = stack::Writing::never) {
  const std::string check = options.volumes.first_given();
  if (!check.empty() && (!options.table.empty() || options.format == kRaw))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}: cannot be used with {}, which would not check it", check,
                             options.table.empty() ? "--format raw" : "--table"));
  if (!options.table.empty()) return plan_from_table(options, access);
  if (options.file.empty())
    return Error(ErrorKind::invalid_argument, "nothing to open: pass FILE, or --table");
  if (options.format != kRaw) return plan_from_content(options, access, writing);
  return stack::Plan{.name = options.file,
                     .file = TRY(block::FileDevice::open(options.file, access))};
}

Result<void> map(const OpenOptions& options, const std::string& name) {
  const block::Access access = options.front_end.access();
  stack::Plan plan = TRY(prepare(options, access, stack::Writing::by_kernel));
  if (access == block::Access::read_write) TRY(stack::prepare_for_kernel(plan));
  return kernel::create_device_stack(name, plan);
}

void add_open_command(Program& program) {
  CLI::App* command = program.add(program.app(), "open",
                                  "Open a disk image (as a file, over NBD, as a copy or a device)");
  const auto options = std::make_shared<OpenOptions>();
  CLI::Option* const file =
      command->add_option("FILE", options->file, "Disk image: a file or block device")
          ->type_name("FILE");
  command
      ->add_option("--table", options->table,
                   "Instead of FILE, open the device that this device-mapper table describes ('-': "
                   "read it from stdin)")
      ->type_name("LINES")
      ->excludes(file);
  options->front_end.add_options(command, {.writable = true, .dm = true});
  command
      ->add_option("--format", options->format,
                   "Open the file as it is, without identifying its content")
      ->check(CLI::IsMember({kRaw}));
  options->volumes.add_to_open(command);
  program.on_chosen(command, [options] {
    return options->front_end.run(
        [&options](block::Access access) { return prepare(*options, access); },
        [&options](const std::string& name) { return map(*options, name); });
  });
}

void add_info_command(Program& program) {
  CLI::App* command =
      program.add(program.app(), "info", "Identify the layers of a disk image (not verified)");
  const auto options = std::make_shared<InfoOptions>();
  command->add_option("FILE", options->file, "Disk image: a file or block device")
      ->type_name("FILE")
      ->required();
  options->volumes.add_to_look(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options] { return info(*options); });
}

}  // namespace

void add_open_commands(Program& program) {
  add_open_command(program);
  add_info_command(program);
}

}  // namespace intact::cli
