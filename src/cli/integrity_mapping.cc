#include "integrity_mapping.h"

#include <intact/crypto/secret.h>
#include <intact/integrity/integrity_target.h>
#include <intact/serve/device_mapper.h>

#include "kernel_devices.h"
#include "kernel_mapping.h"

namespace intact::cli {
namespace {

using integrity::IntegrityTarget;

constexpr const char* kTarget = "integrity";

}  // namespace

Result<void> map_integrity(const std::string& name, const stack::File& file,
                           const stack::IntegrityLayer& layer) {
  TRY(check_mapping_is_new(name));
  KernelDevices devices;
  const std::string data = TRY(devices.number(file));
  const std::string meta = layer.meta ? TRY(devices.number(layer.meta)) : std::string();
  serve::Mapping mapping{
      .name = name, .uuid = "CRYPT-INTEGRITY-" + name, .target = kTarget, .read_only = false};
  mapping.read_only = !file->writable();
  {
    // The kernel is told what we have understood; nothing is written here.
    const auto target = TRY(IntegrityTarget::open(layer.params, {.data = file, .meta = layer.meta},
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

}  // namespace intact::cli
