#include <fmt/format.h>
#include <unistd.h>

#include <intact/rootfs/root.h>

namespace intact::rootfs {

Result<Method> parse_method(std::string_view text) {
  if (text == "auto") return Method::automatic;
  if (text == "fuse") return Method::fuse;
  if (text == "kernel") return Method::kernel;
  return Error(ErrorKind::invalid_argument,
               fmt::format("--method {}: not one of auto, fuse and kernel", text));
}

std::optional<KernelLimit> kernel_limit(const RootSpec& spec) {
  if (spec.overlaid) return KernelLimit::overlaid;
  if (spec.reports) return KernelLimit::reports;
  return std::nullopt;
}

Methods methods_for(const RootSpec& spec, bool is_root) {
  const bool possible = !kernel_limit(spec);
  switch (spec.method) {
    case Method::fuse:
      return {.fuse = true};
    case Method::kernel:
      return {.kernel = possible};
    case Method::automatic:
      break;
  }
  const bool same_promises =
      possible && spec.verity == image::VerityMode::require && spec.others && is_root;
  return {.kernel = same_promises, .fuse = true};
}

Methods methods_for(const RootSpec& spec) {
  return methods_for(spec, ::geteuid() == 0);
}

}  // namespace intact::rootfs
