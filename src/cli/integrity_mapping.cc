#include "integrity_mapping.h"

#include <algorithm>

#include <intact/integrity/integrity_target.h>
#include <intact/serve/device_mapper.h>

#include "command.h"
#include "kernel_devices.h"
#include "kernel_mapping.h"

namespace intact::cli {
namespace {

using integrity::IntegrityTarget;

constexpr const char* kTarget = "integrity";

/// The kernel does not check regions that the bitmap marks, and gives them new tags: with a key it
/// would vouch for the data of anyone who can write to the device.
Result<void> check_kernel_may(const stack::IntegrityLayer& layer, const IntegrityTarget& target) {
  const integrity::Params& params = layer.params;
  if (!params.keyed() || params.mode == integrity::Mode::recovery) return {};
  if (params.allow_discards)
    warn("the kernel returns blocks that are marked as discarded without a check, despite the key");
  if (params.legacy_recalculate || !target.superblock().has(integrity::Superblock::dirty_bitmap))
    return {};
  return Error(ErrorKind::unsupported,
               "the device was not closed in bitmap mode, and the kernel would trust the data in "
               "regions that the bitmap marks despite the key; verify them with `intact integrity "
               "replay --in-place`, or pass --integrity-legacy-recalculate to trust them");
}

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
    // The kernel is told what was found here; nothing is written.
    const auto target = TRY(IntegrityTarget::open(layer.params, {.data = file, .meta = layer.meta},
                                                  {.read_only = true, .background = false}));
    TRY(check_kernel_may(layer, *target));
    mapping.sectors = target->size() / integrity::kSectorSize;
    const crypto::Secret words = target->table_with_keys(meta);
    mapping.parameters = crypto::Secret(data.size() + 1 + words.size());
    const auto out = mapping.parameters.expose();
    std::ranges::copy(as_bytes(data), out.begin());
    out[data.size()] = std::byte{' '};
    std::ranges::copy(words.expose(), out.subspan(data.size() + 1).begin());
  }
  return serve::create_mapping(mapping);
}

}  // namespace intact::cli
