#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <intact/base/result.h>
#include <intact/image/opened_image.h>
#include <intact/store/store.h>

namespace intact::rootfs {

/// An image that has been opened, and the store that its contents are in.
struct RootSource {
  std::shared_ptr<store::Store> store;
  std::shared_ptr<const image::OpenedImage> image;
};

/// What presents a root file system to its users.
enum class Method {
  automatic,  ///< the kernel where that keeps every promise, otherwise FUSE
  fuse,       ///< one of our processes, which verifies every read
  kernel,     ///< EROFS, overlayfs and fs-verity; no process serves it
};

/// "auto", "fuse" or "kernel".
Result<Method> parse_method(std::string_view text);

/// What a caller wants of a root file system. The defaults are those of a private mount.
struct RootSpec {
  Method method = Method::automatic;
  image::VerityMode verity = image::VerityMode::require;
  bool others = false;   ///< users other than the one who mounts may enter
  bool upper = false;    ///< a writable layer is put on top of it
  bool reports = false;  ///< somebody acts on what the server logs, or on damage that it finds
};

/// What the kernel can never give. It knows neither our log nor our users.
enum class KernelLimit {
  upper,    ///< overlayfs does not stack that deep: the image itself is an overlay
  reports,  ///< damage is reported to the program that reads, and to the kernel's log
};

/// The first thing that `spec` asks for and no kernel mount can give, whatever its method.
std::optional<KernelLimit> kernel_limit(const RootSpec& spec);

/// The methods to try. With both the kernel is first, and what it does not support is left to FUSE.
struct Methods {
  bool kernel = false;
  bool fuse = false;

  bool operator==(const Methods&) const = default;
};

/// The one rule for `auto`. The kernel is asked where a mount of its own would keep every promise
/// that the FUSE server makes:
///
/// - it has no limit for this root (kernel_limit());
/// - contents must have a digest (VerityMode::require): in the other modes the server warns about
///   what the kernel would serve in silence;
/// - everybody may enter, because everybody can enter a mount of the kernel;
/// - the caller is root (`is_root`), since no one else may mount.
///
/// Whether this kernel and the file system of the store can do it shows when it is tried: see
/// KernelRoot. A method that is named is the only one; with a limit for the kernel there is none.
Methods methods_for(const RootSpec& spec, bool is_root);
/// The same for this process.
Methods methods_for(const RootSpec& spec);

}  // namespace intact::rootfs
