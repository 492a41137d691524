#include "integrity_mapping.h"

#include <memory>
#include <string_view>

#include <fmt/format.h>

#include <intact/crypto/secret.h>
#include <intact/integrity/integrity_target.h>
#include <intact/serve/device_mapper.h>

#include "kernel_devices.h"

namespace intact::cli {
namespace {

using integrity::IntegrityTarget;

constexpr const char* kTarget = "integrity";
constexpr std::string_view kNodes = "/dev/mapper/";

struct CloseOptions {
  std::string name;
  bool deferred = false;
  bool cancel_deferred = false;
};

Result<int> close(const CloseOptions& options) {
  const std::string name =
      options.name.starts_with(kNodes) ? options.name.substr(kNodes.size()) : options.name;
  const serve::MappingState state = TRY(serve::find_mapping(name));
  if (state.mapping.target != kTarget)
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("{} is a device of dm-{}, not of dm-integrity", name, state.mapping.target));
  TRY(serve::remove_mapping(name, options.deferred          ? serve::Removal::deferred
                                  : options.cancel_deferred ? serve::Removal::cancel
                                                            : serve::Removal::now));
  return 0;
}

}  // namespace

Result<void> map_integrity(const std::string& name, const stack::IntegrityVolume& volume) {
  const auto known = serve::find_mapping(name);
  if (known) return Error(ErrorKind::busy, fmt::format("there is a device {} already", name));
  if (known.error().kind() != ErrorKind::not_found) return Error(known.error());
  KernelDevices devices;
  const std::string data = TRY(devices.number(volume.data));
  const std::string meta = volume.meta ? TRY(devices.number(volume.meta)) : std::string();
  serve::Mapping mapping{
      .name = name, .uuid = "CRYPT-INTEGRITY-" + name, .target = kTarget, .read_only = false};
  mapping.read_only = !volume.data->writable();
  {
    // The kernel is told what we have understood; nothing is written here.
    const auto target =
        TRY(IntegrityTarget::open(volume.params, {.data = volume.data, .meta = volume.meta},
                                  {.read_only = true, .background = false}));
    mapping.sectors = target->size() / integrity::kSectorSize;
    std::string words = target->table(meta, true);
    mapping.parameters.reserve(data.size() + 1 + words.size());
    mapping.parameters = data + " " + words;
    crypto::wipe(std::as_writable_bytes(std::span(words)));
  }
  const auto created = serve::create_mapping(mapping);
  crypto::wipe(std::as_writable_bytes(std::span(mapping.parameters)));
  return created;
}

void add_integrity_close_command(Program& program, CLI::App* group) {
  CLI::App* command = program.add(*group, "close", "Take a device of the kernel's away again");
  const auto options = std::make_shared<CloseOptions>();
  command->add_option("DEVICE", options->name, "Name of the device")->required();
  CLI::Option* const deferred =
      command->add_flag("--deferred", options->deferred, "When nobody has it open any more");
  command
      ->add_flag("--cancel-deferred", options->cancel_deferred,
                 "Keep it, although it was closed with --deferred")
      ->excludes(deferred);
  program.on_chosen(command, [options] { return close(*options); });
}

}  // namespace intact::cli
