#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/oci/tar_reader.h>
#include <intact/tree/tree.h>

namespace intact::oci {

/// Where produced bytes go.
using ByteSink = std::function<Result<void>(ByteSpan)>;

/// Writes ustar with PAX headers where ustar cannot say it (long names, large numbers, fractions of
/// a second, xattrs). The same entries give the same bytes: no user names, no times of writing.
/// Entries come in the order in which they are added. Not thread-safe.
class TarWriter {
 public:
  explicit TarWriter(ByteSink sink) : sink_(std::move(sink)) {}

  /// Begins an entry; a regular file's `size` bytes of content must follow by write_content().
  /// invalid_argument for entries that tar cannot hold.
  Result<void> add(const TarEntry& entry);
  Result<void> write_content(ByteSpan bytes);
  /// Writes the end mark. invalid_argument when content is missing.
  Result<void> finish();

 private:
  Result<void> end_entry();
  Result<void> write_padding(std::uint64_t size);

  ByteSink sink_;
  std::uint64_t content_left_ = 0;
  std::uint64_t content_size_ = 0;
};

/// The user and group that a file belongs to, as numbers.
struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Owner&) const = default;
};

/// Parses "UID[:GID]" in decimal digits; without GID it is UID. invalid_argument: anything else,
/// and 4294967295, which stands for "no user" in system calls.
Result<Owner> parse_owner(std::string_view text);

/// Opens the content of a regular file that the tree does not hold itself.
using ContentOpener = std::function<Result<std::unique_ptr<ByteStream>>(const std::string& path,
                                                                        const tree::Inode& inode)>;

/// Writes a whole tree as one tar, so that it reads back as the same tree: depth first, children in
/// byte order, the first name of an inode with its content and the others as hard links, the root
/// directory as "./". Names that begin with ".wh." cannot be told from whiteouts and sockets are
/// nothing that tar knows: unsupported.
Result<void> write_tree_tar(const tree::Tree& tree, const ContentOpener& open_content,
                            const ByteSink& sink);

struct DirectoryTarOptions {
  /// Later times than this are set to it (SOURCE_DATE_EPOCH), in seconds.
  std::optional<std::int64_t> clamp_mtime;
  /// All entries belong to this user and group instead of those on the host.
  std::optional<Owner> owner;
};

/// Writes a directory as a layer in the same form (oci.md 5.5). Sockets are left out; so is
/// `security.selinux`, which belongs to the host. Stays on the file system of `directory`: what is
/// mounted below shows as an empty directory. Errors: io, and unsupported as above.
Result<void> write_directory_tar(const std::string& directory, const DirectoryTarOptions& options,
                                 const ByteSink& sink);

}  // namespace intact::oci
