#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/base/file.h>
#include <intact/base/visible.h>
#include <intact/block/file_device.h>
#include <intact/block/linear_target.h>
#include <intact/console/input_file.h>
#include <intact/console/size_option.h>
#include <intact/json/json.h>
#include <intact/kernel/device_stack.h>
#include <intact/stack/recognise.h>
#include <intact/stack/targets.h>

#include "command.h"
#include "commands.h"
#include "front_end.h"
#include "image_layers.h"
#include "recognised_integrity.h"
#include "verity_files.h"

namespace intact::cli {
namespace {

using stack::Content;

constexpr const char* kRaw = "raw";

/// Opens a file without a lock, since it may be in use.
Result<std::shared_ptr<block::FileDevice>> open_to_look(const std::string& path) {
  UniqueFd fd = TRY(open_file(path, O_RDONLY));
  return std::shared_ptr<block::FileDevice>(
      TRY(block::FileDevice::create(std::move(fd), block::Access::read_only).context(path)));
}

// --- info ---------------------------------------------------------------------------------------

struct InfoOptions {
  std::string file;
  std::optional<std::uint64_t> hash_offset;
  bool json = false;
};

void print_layers(const std::string& file, std::uint64_t size, const std::vector<Content>& layers) {
  print("{}: {} bytes\n", visible(file), size);
  if (layers.empty()) print("  no known format\n");
  std::string indent = "  ";
  for (const Content& layer : layers) {
    print("{}{}, at byte {}\n", indent, layer.title, layer.offset);
    indent += "  ";
    for (const auto& [key, value] : layer.facts.items())
      if (!value.is_string() || !value.get_ref<const std::string&>().empty())
        print("{}{}: {}\n", indent, key,
              value.is_string() ? value.get<std::string>() : to_text(value));
  }
}

/// The data of a volume, as the dm-verity superblock describes it; null if the device is smaller.
std::shared_ptr<block::Device> data_of(const Content& verity,
                                       std::shared_ptr<block::Device> device) {
  const auto size = checked_multiply(verity.facts["data_blocks"].get<std::uint64_t>(),
                                     verity.facts["data_block_size"].get<std::uint64_t>());
  if (!size || *size > device->size()) return nullptr;
  auto data = block::LinearTarget::open(std::move(device), {.offset = 0, .length = *size});
  return data ? *std::move(data) : nullptr;
}

/// The layers that can be seen without keys and unverified, also within dm-verity and dm-integrity.
Result<std::vector<Content>> visible_layers(std::shared_ptr<block::Device> device,
                                            std::optional<std::uint64_t> hash_offset) {
  auto layers = TRY(stack::recognise(*device, hash_offset));
  while (!layers.empty() && layers.size() < stack::kMaxTables &&
         layers.back().format == "integrity") {
    if (layers.size() > 1 && layers[layers.size() - 2].format == "verity")
      device = data_of(layers[layers.size() - 2], std::move(device));
    if (device) device = look_into_integrity(device, layers.back());
    if (!device) break;
    auto inner = stack::recognise(*device, hash_offset);
    if (!inner || inner->empty()) break;  // the rest is not readable
    std::ranges::move(*inner, std::back_inserter(layers));
  }
  return layers;
}

Result<int> info(const InfoOptions& options) {
  const auto file = TRY(open_to_look(options.file));
  const auto layers = TRY(visible_layers(file, options.hash_offset));
  if (!options.json) {
    print_layers(options.file, file->size(), layers);
    return 0;
  }
  Json json = {{"file", options.file}, {"size", file->size()}, {"layers", Json::array()}};
  for (const Content& layer : layers) {
    Json entry = {{"format", layer.format}, {"offset", layer.offset}};
    entry.update(layer.facts);
    json["layers"].push_back(std::move(entry));
  }
  print("{}\n", to_text(json));
  return 0;
}

// --- open ---------------------------------------------------------------------------------------

struct OpenOptions : ImageOptions {
  FrontEnd front_end;
  std::string format;  // empty: by content
  std::string table;   // text, or "-" for stdin
};

constexpr std::size_t kMaxTable = 1 << 20;  // bytes

/// The device that a table of the user's describes. Its files are opened for writing unless a line
/// makes it read-only.
Result<stack::Plan> plan_from_table(const OpenOptions& options, block::Access access) {
  const std::string text = options.table == "-"
                               ? std::string(as_text(TRY(read_input(options.table, kMaxTable))))
                               : options.table;
  stack::Plan plan{.name = "table", .file = {}};
  plan.tables.push_back({.name = "table", .lines = TRY(dm::parse_lines(text).context("--table"))});
  if (TRY(is_read_only(plan))) access = block::Access::read_only;
  plan.read_only = access == block::Access::read_only;
  DeviceFiles files(access);
  for (dm::Line& line : plan.tables[0].lines)
    TRY(dm::use_own_names(line, plan.names, [&](const std::string& path) -> Result<dm::File> {
          dm::File file = TRY(files.open(path));
          if (!plan.known_by) plan.known_by = file;
          return file;
        }).context("--table"));
  return plan;
}

Result<stack::Plan> prepare(const OpenOptions& options, block::Access access) {
  const char* const check = options.check_option();
  if (check != nullptr && (!options.table.empty() || options.format == kRaw))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}: cannot be used with {}, which would not check it", check,
                             options.table.empty() ? "--format raw" : "--table"));
  if (!options.table.empty()) return plan_from_table(options, access);
  if (options.data.empty())
    return Error(ErrorKind::invalid_argument, "nothing to open: pass FILE, or --table");
  if (options.format != kRaw) return find_layers(options, access);
  return stack::Plan{.name = options.data,
                     .file = TRY(block::FileDevice::open(options.data, access))};
}

/// The kernel writes to a dm-integrity device whatever it contains: it replays its journal.
Result<void> map(const OpenOptions& options, const std::string& name) {
  const block::Access access = options.front_end.access();
  stack::Plan plan = TRY(prepare(options, access));
  if (access == block::Access::read_write && plan.file && !plan.file->writable() &&
      !plan.tables.empty() &&
      TRY(stack::find_target(plan.tables[0].lines[0].target))->kernel_writes)
    TRY(plan.file->make_writable().context(options.data));
  return kernel::create_device_stack(name, plan);
}

void add_open_command(Program& program) {
  CLI::App* command = program.add(program.app(), "open",
                                  "Open a disk image (as a file, over NBD, as a copy or a device)");
  const auto options = std::make_shared<OpenOptions>();
  CLI::Option* const file =
      command->add_option("FILE", options->data, "Disk image: a file or block device")
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
  command->add_option("--root-hash", options->root_hash, "Root hash of dm-verity, in hexadecimal")
      ->type_name("HEX");
  command
      ->add_option("--root-hash-file", options->root_hash_file,
                   "Read the root hash from this file ('-': stdin)")
      ->type_name("FILE");
  options->add_signature(command);
  command
      ->add_option("--hash-device", options->hash_device,
                   "Device or file with superblock and hash tree, if not in FILE")
      ->type_name("FILE");
  add_size_option(command, "--hash-offset", options->superblock_at,
                  "Offset of the dm-verity superblock, if it is not found automatically");
  options->add_data_blocks(command);
  options->add_fec(command);
  options->integrity.integrity.name.clear();
  options->integrity.add_algorithms(command);
  options->integrity.add_legacy_recalculate(command);
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
  add_size_option(command, "--hash-offset", options->hash_offset,
                  "Look for a dm-verity superblock only at this offset");
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options] { return info(*options); });
}

}  // namespace

void add_open_commands(Program& program) {
  add_open_command(program);
  add_info_command(program);
}

}  // namespace intact::cli
