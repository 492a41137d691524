#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <intact/base/stream.h>
#include <intact/oci/tree_tar.h>
#include <intact/tree/attributes.h>

namespace intact::oci {

/// Refuses names that a layer would take for whiteouts.
Result<void> check_layer_name(const std::string& path, std::string_view name);

/// The entry of a file at an absolute path, without its xattrs and link target. unsupported for
/// what tar does not know.
Result<TarEntry> tar_entry_of(const std::string& path, const tree::Attributes& attributes);

/// Writes `size` bytes of a stream as content; io when it has fewer.
Result<void> write_stream(TarWriter& tar, ByteStream& stream, std::uint64_t size);

}  // namespace intact::oci
