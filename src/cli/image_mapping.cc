#include "image_mapping.h"

#include <ranges>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <intact/block/file_target.h>
#include <intact/serve/device_mapper.h>

#include "integrity_mapping.h"
#include "kernel_mapping.h"
#include "verity_mapping.h"

namespace intact::cli {
namespace {

Result<void> map_layer(const std::string& name, const stack::File& file,
                       const stack::VerityLayer& layer) {
  return map_verity({.name = name, .data = file, .layer = layer});
}

Result<void> map_layer(const std::string& name, const stack::File& file,
                       const stack::IntegrityLayer& layer) {
  return map_integrity(name, file, layer);
}

/// The devices below the requested one.
class LowerDevices {
 public:
  LowerDevices() = default;
  LowerDevices(const LowerDevices&) = delete;
  LowerDevices& operator=(const LowerDevices&) = delete;
  ~LowerDevices() {
    for (const std::string& name : std::views::reverse(names_)) (void)serve::remove_mapping(name);
  }

  void add(std::string name) { names_.push_back(std::move(name)); }

  /// From now on each exists until its last user closes it.
  Result<void> leave_to_those_above() {
    for (const std::string& name : names_)
      TRY(serve::remove_mapping(name, serve::Removal::deferred));
    names_.clear();
    return {};
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace

Result<void> map_image(const std::string& name, const stack::Volume& volume) {
  if (volume.layers.empty())
    return Error(ErrorKind::invalid_argument,
                 volume.name + ": neither dm-verity nor dm-integrity; use a loop device (losetup)");
  TRY(check_mapping_is_new(name));
  LowerDevices lower;
  stack::File file = volume.file;
  for (std::size_t i = 0; i < volume.layers.size(); ++i) {
    const stack::AnyLayer& layer = volume.layers[i];
    if (i > 0 && std::holds_alternative<stack::IntegrityLayer>(layer) && !file->writable())
      return Error(ErrorKind::unsupported,
                   volume.name +
                       ": the kernel cannot open dm-integrity on a read-only device; use --fuse, "
                       "--nbd or --to");
    const bool is_top = i + 1 == volume.layers.size();
    const std::string device = is_top ? name : fmt::format("{}-{}", name, i + 1);
    TRY(std::visit([&](const auto& kind) { return map_layer(device, file, kind); }, layer));
    if (is_top) break;
    lower.add(device);
    // A dm-verity device is read-only.
    const bool writable = file->writable() && std::holds_alternative<stack::IntegrityLayer>(layer);
    file = TRY(
        block::FileTarget::open(std::string(kMapperDirectory) + device,
                                writable ? block::Access::read_write : block::Access::read_only));
  }
  return lower.leave_to_those_above();
}

}  // namespace intact::cli
