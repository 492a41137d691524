#pragma once

#include <memory>
#include <optional>
#include <string>

#include <intact/base/stream.h>

#include "profile.h"

namespace intact::image {

/// "composefs-1": the metadata of a tree as an EROFS image, named by its fs-verity digest, and its
/// file contents as objects that all images share.
const Profile& composefs_profile();

/// The EROFS image of this digest in the store, each block verified before it can be read and then
/// kept in private memory. tampered when it cannot be that image.
Result<std::shared_ptr<const ByteSource>> open_composefs_image(const store::Store& store,
                                                               const Digest& image,
                                                               const DamageSink& damage = {});

/// The parts of the profile that have files of their own.
Result<void> verify_composefs(const store::Store& store, const Digest& image,
                              const VerifyOptions& options, VerifyReport& report);
/// DIRECTORY/image.cfs and DIRECTORY/objects, ready for `mount -t composefs -o
/// basedir=DIRECTORY/objects`. Must be missing or empty. malformed before anything is written: an
/// object is not named by its digest.
Result<ExportReport> export_composefs_files(const std::shared_ptr<const store::Store>& store,
                                            const Digest& image, const DamageSink& damage,
                                            const std::string& directory);

}  // namespace intact::image
