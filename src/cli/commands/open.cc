#include <memory>
#include <optional>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/block/file_target.h>
#include <intact/json/json.h>
#include <intact/stack/recognise.h>

#include "command.h"
#include "commands.h"
#include "front_end.h"
#include "recognised_integrity.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

using stack::Content;

constexpr const char* kRaw = "raw";
constexpr const char* kIntegrity = "integrity";

std::optional<std::uint64_t> given_offset(const CLI::Option* option, std::uint64_t offset) {
  return option->count() > 0 ? std::optional(offset) : std::nullopt;
}

/// Opened without a lock: it may be in use.
Result<std::shared_ptr<block::FileTarget>> open_to_look(const std::string& path) {
  UniqueFd fd = TRY(open_file(path, O_RDONLY));
  return std::shared_ptr<block::FileTarget>(
      TRY(block::FileTarget::create(std::move(fd), block::Access::read_only).context(path)));
}

// --- info ---------------------------------------------------------------------------------------

struct InfoOptions {
  std::string file;
  std::uint64_t hash_offset = 0;
  const CLI::Option* hash_offset_option = nullptr;
  bool json = false;
};

void print_layers(const std::string& file, std::uint64_t size, const std::vector<Content>& layers) {
  print("{}: {} bytes\n", file, size);
  if (layers.empty()) print("  nothing that is known\n");
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

Result<int> info(const InfoOptions& options) {
  const auto file = TRY(open_to_look(options.file));
  auto layers =
      TRY(stack::recognise(*file, given_offset(options.hash_offset_option, options.hash_offset)));
  if (!layers.empty() && layers.back().format == kIntegrity)
    for (Content& inner : look_into_integrity(file, layers.back()))
      layers.push_back(std::move(inner));
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

struct OpenOptions : VerityOptions {
  FrontEnd front_end;
  IntegrityOptions integrity;
  std::string format;  // empty: by content
  const CLI::Option* hash_offset_option = nullptr;
};

/// What keeps a file or device with this content from being given out as it is: its bytes are not
/// the disk's. `as_it_is` says how it can be had nevertheless.
Result<void> check_plain(const std::string& file, const Content& content, const char* as_it_is) {
  const auto refuse = [&](const char* advice) {
    return Error(ErrorKind::unsupported,
                 fmt::format("{} {}: {}; {}", file, content.title, advice, as_it_is));
  };
  const std::string& format = content.format;
  for (const char* packed : {"gzip", "xz", "zstd", "bzip2", "zip", "tar"})
    if (format == packed) return refuse("no disk image; unpack it first");
  for (const char* volume : {"luks1", "luks2", "qcow2"})
    if (format == volume) return refuse("no format that can be opened");
  return {};
}

/// Opens nothing unverified that could be verified.
Result<stack::Volume> prepare_verity(const OpenOptions& options, std::uint64_t hash_offset) {
  VerityOptions verity = options;
  verity.hash_offset = hash_offset;
  if (verity.hash_device.empty()) verity.hash_device = verity.data;
  if (verity.root_hash.empty() && verity.root_hash_file.empty())
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{} has a dm-verity superblock (at byte {}): give its root hash by "
                             "--root-hash or --root-hash-file; --format raw opens it unverified",
                             verity.hash_device, hash_offset));
  return stack::Volume{.name = verity.data, .layer = TRY(verity.volume(TRY(verity.root())))};
}

/// What is in the device must be all there is: no volume in a volume is given out as a disk.
Result<stack::Volume> prepare_integrity(const OpenOptions& options, block::Access access) {
  constexpr const char* kAsItIs = "`intact integrity open` opens it as it is";
  IntegrityOptions integrity = options.integrity;
  integrity.device = options.data;
  auto volume = TRY(recognised_integrity(integrity, access));
  const auto layers = TRY(content_of(volume).context(options.data));
  const std::string place = options.data + " is dm-integrity, and in it is";
  if (!layers.empty()) TRY(check_plain(place, layers[0], kAsItIs));
  for (const char* format : {"verity", kIntegrity})
    if (!layers.empty() && layers[0].format == format)
      return Error(ErrorKind::unsupported,
                   fmt::format("{} {}: one behind the other cannot be opened; {}", place,
                               layers[0].title, kAsItIs));
  return stack::Volume{.name = options.data, .layer = std::move(volume)};
}

Result<stack::Volume> prepare(const OpenOptions& options, block::Access access) {
  if (options.format != kRaw) {
    const auto offset = given_offset(options.hash_offset_option, options.hash_offset);
    const std::string& hash = options.hash_device.empty() ? options.data : options.hash_device;
    const auto layers = TRY(stack::recognise(*TRY(open_to_look(hash)), offset));
    if (!layers.empty() && layers[0].format == "verity" && !options.integrity.names_algorithm())
      return prepare_verity(options, layers[0].offset);
    if (offset || !options.hash_device.empty() || !options.root_hash.empty() ||
        !options.root_hash_file.empty())
      return Error(
          ErrorKind::malformed,
          hash + " has no dm-verity superblock where one was looked for; see --hash-offset");
    if (!layers.empty() && layers[0].format == kIntegrity)
      return prepare_integrity(options, access);
    if (options.integrity.names_algorithm())
      return Error(ErrorKind::malformed, options.data + " is not dm-integrity");
    if (!layers.empty())
      TRY(check_plain(options.data + " is", layers[0], "--format raw opens it as it is"));
  }
  return stack::Volume{
      .name = options.data,
      .layer = stack::PlainVolume{.file = TRY(block::FileTarget::open(options.data, access))}};
}

void add_open_command(Program& program) {
  CLI::App* command = program.add(program.app(), "open", "Give out what is in a disk image");
  const auto options = std::make_shared<OpenOptions>();
  command->add_option("FILE", options->data, "The image: a file or block device")
      ->type_name("FILE")
      ->required();
  options->front_end.add_options(command, {.writable = true});
  command->add_option("--format", options->format, "Open it as this, whatever it looks like")
      ->check(CLI::IsMember({kRaw}));
  command->add_option("--root-hash", options->root_hash, "Root hash of dm-verity, in hexadecimal")
      ->type_name("HEX");
  command
      ->add_option("--root-hash-file", options->root_hash_file, "Read the root hash from this file")
      ->type_name("FILE");
  options->add_signature(command);
  command
      ->add_option("--hash-device", options->hash_device,
                   "Where the superblock and the hash tree are, if not in FILE")
      ->type_name("FILE");
  options->hash_offset_option =
      command
          ->add_option("--hash-offset", options->hash_offset,
                       "Where that superblock begins, if it is not found by itself")
          ->type_name("BYTES");
  options->add_fec(command);
  options->integrity.integrity.name.clear();
  options->integrity.add_algorithms(command);
  program.on_chosen(command, [options] {
    return options->front_end.run(
        [&options](block::Access access) { return prepare(*options, access); });
  });
}

void add_info_command(Program& program) {
  CLI::App* command =
      program.add(program.app(), "info", "Show what a disk image claims to consist of");
  const auto options = std::make_shared<InfoOptions>();
  command->add_option("FILE", options->file, "The image: a file or block device")
      ->type_name("FILE")
      ->required();
  options->hash_offset_option =
      command
          ->add_option("--hash-offset", options->hash_offset,
                       "Look for a superblock of dm-verity here and nowhere else")
          ->type_name("BYTES");
  command->add_flag("--json", options->json, "Print the result as JSON");
  program.on_chosen(command, [options] { return info(*options); });
}

}  // namespace

void add_open_commands(Program& program) {
  add_open_command(program);
  add_info_command(program);
}

}  // namespace intact::cli
