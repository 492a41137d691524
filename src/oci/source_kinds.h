#pragma once

#include <memory>
#include <string>

#include <intact/oci/image_source.h>

namespace intact::oci {

Result<std::unique_ptr<ImageSource>> open_layout_directory(const std::string& directory);
Result<std::unique_ptr<ImageSource>> open_layout_archive(const std::string& file,
                                                         const DecompressLimits& limits);
Result<std::unique_ptr<ImageSource>> open_docker_archive(const std::string& file,
                                                         const DecompressLimits& limits);

/// "oci-layout" of a layout: unsupported unless of a version known here.
Result<void> check_layout_header(ByteSpan bytes);

/// Where a blob is in a layout: "blobs/sha256/HEX".
std::string blob_path(const Digest& digest);

/// `oci-layout` or `index.json` of a layout in a directory; malformed if it is not a regular file.
Result<Bytes> read_layout_file(int directory, const std::string& name, std::uint64_t limit);

}  // namespace intact::oci
