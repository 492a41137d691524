#pragma once

#include <cstdint>
#include <functional>
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
  std::vector<std::string> warnings;
};

// All of these check the chain of trust first and every byte on its way out. The destination
// appears whole or not at all.

/// The sealed OCI image with its signatures as it was pulled, into a layout (oci:) or an archive
/// (oci-archive:). not_found when the layers were dropped.
Result<ExportReport> export_oci(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const oci::Reference& destination);

/// The image's root as one new tar file (error kind exists when there is one); "-" is standard
/// output.
Result<ExportReport> export_tar(const std::shared_ptr<store::Store>& store, const std::string& name,
                                const OpenOptions& options, const std::string& file);

/// The image's root as a plain directory, which must be missing or empty. Others than root cannot
/// give files away or make devices: what is left out is told as warnings.
Result<ExportReport> export_rootfs(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory);

/// DIRECTORY/image.cfs and DIRECTORY/objects, ready for `mount -t composefs -o
/// basedir=DIRECTORY/objects`. Must be missing or empty.
Result<ExportReport> export_composefs(const std::shared_ptr<store::Store>& store,
                                      const std::string& name, const OpenOptions& options,
                                      const std::string& directory);

/// Makes the config.json of a bundle.
using MakeRuntimeConfig = std::function<Result<Bytes>(const OpenedImage&)>;

/// An OCI runtime bundle: DIRECTORY/rootfs as export_rootfs() makes it and DIRECTORY/config.json.
/// Must be missing or empty.
Result<ExportReport> export_bundle(const std::shared_ptr<store::Store>& store,
                                   const std::string& name, const OpenOptions& options,
                                   const std::string& directory,
                                   const MakeRuntimeConfig& make_config);

}  // namespace intact::image
