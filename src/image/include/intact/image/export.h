#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/image/opened_image.h>
#include <intact/oci/reference.h>

namespace intact::image {

struct ExportReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  // What export_rootfs() and export_bundle() did not write.
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

// All of these check the chain of trust first and every byte as it is written. The destination
// appears whole or not at all.

/// The sealed OCI image with its signatures as it was pulled, into a layout (oci:) or an archive
/// (oci-archive:). not_found when the layers were dropped.
Result<ExportReport> export_oci(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const oci::Reference& destination);

/// The image's root as one new tar file (error kind exists when there is one); "-" is standard
/// output.
Result<ExportReport> export_tar(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const std::string& file);

/// The image's root as a plain directory, which must be missing or empty. It belongs to the caller
/// with mode 0700 whatever the image says: the files in it may be readable, or even run as root,
/// for everybody who gets there. Only root can give files to their owners. The report says what was
/// left out.
Result<ExportReport> export_rootfs(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory, const RootfsOptions& rootfs = {});

/// DIRECTORY/image.cfs and DIRECTORY/objects, ready for `mount -t composefs -o
/// basedir=DIRECTORY/objects`. Must be missing or empty. malformed before anything is written: an
/// object is not named by its digest.
Result<ExportReport> export_composefs(const std::shared_ptr<store::Store>& store,
                                      const std::string& name, const OpenOptions& options,
                                      const std::string& directory);

/// The files of a bundle beside the root, by name: config.json, and those that it mounts.
using BundleFiles = std::map<std::string, Bytes>;
using MakeBundleFiles = std::function<Result<BundleFiles>(const OpenedImage&)>;

/// An OCI runtime bundle: DIRECTORY/rootfs as export_rootfs() makes it, and beside it what
/// `make_files` returns. DIRECTORY must be missing or empty. DIRECTORY has mode 0700, and the root
/// directory in it that of the image.
Result<ExportReport> export_bundle(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory, const MakeBundleFiles& make_files,
                                   const RootfsOptions& rootfs = {});

}  // namespace intact::image
