#pragma once

#include <intact/image/export.h>
#include <intact/oci/reference.h>

namespace intact::image {

// All of these check the chain of trust first and every byte as it is written. The destination
// appears whole or not at all.

/// The sealed OCI image with its signatures as it was pulled, into a layout (oci:), an archive
/// (oci-archive:) or a registry (docker://). not_found when the layers were dropped.
Result<ExportReport> export_oci(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const oci::Reference& destination,
                                const registry::Options& registry);

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

/// An OCI runtime bundle: DIRECTORY/rootfs as export_rootfs() makes it, and beside it what
/// `make_files` returns. DIRECTORY must be missing or empty. DIRECTORY has mode 0700, and the root
/// directory in it that of the image.
Result<ExportReport> export_bundle(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory, const MakeBundleFiles& make_files,
                                   const RootfsOptions& rootfs = {});

}  // namespace intact::image
