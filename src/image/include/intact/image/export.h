#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/image/opened_image.h>
#include <intact/registry/registry.h>

namespace intact::image {

struct ExportReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  // What was left out of a rootfs: or bundle:.
  std::uint64_t devices = 0;       ///< device nodes left out
  std::uint64_t setuid = 0;        ///< files without their set-user-ID and set-group-ID bits
  std::uint64_t capabilities = 0;  ///< files without their capabilities
  std::uint64_t xattrs = 0;  ///< other security.*, all trusted.* and user.overlay.* attributes
  std::vector<std::string> warnings;
};

/// What a tree on this host may contain that gives rights on this host, not in a container.
struct RootfsOptions {
  bool devices = false;  ///< device nodes (only root can make them)
  bool setuid = false;   ///< set-user-ID and set-group-ID bits, file capabilities and the like
};

/// The files of a bundle beside the root, by name: config.json, and those that it mounts.
using BundleFiles = std::map<std::string, Bytes>;
using MakeBundleFiles = std::function<Result<BundleFiles>(const OpenedImage&)>;

/// Writes an image of the store somewhere else. The chain of trust is checked first, and every byte
/// as it is written. The destination, FORM:PATH, appears whole or not at all:
///
///     oci:DIR[:TAG], oci-archive:FILE[:TAG]  the sealed image with its signatures as it was pulled
///     docker://HOST/REPO[:TAG]               the same; a registry's tag is moved to it
///     tar:FILE                               the root as one tar; a FILE `-` is standard output
///     rootfs:DIR                             the root as a plain directory
///     bundle:DIR                             an OCI runtime bundle: rootfs, and `make_files`
///     composefs:DIR                          the image's own files; the word depends on its format
///
/// invalid_argument for any other form; exists if there is something at PATH already.
Result<ExportReport> export_image(const std::shared_ptr<store::Store>& store,
                                  const std::string& name, const OpenOptions& options,
                                  const std::string& destination, const RootfsOptions& rootfs,
                                  const MakeBundleFiles& make_files,
                                  const registry::Options& registry = {});

/// Whether such a destination is standard output.
bool exports_to_standard_output(std::string_view destination);

}  // namespace intact::image
