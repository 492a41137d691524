#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/tree/attributes.h>

namespace intact::oci {

enum class TarType {
  regular,
  hard_link,
  symlink,
  character_device,
  block_device,
  directory,
  fifo,
};

/// The type as stat(2) has it in its mode, S_IFREG and so on; of a hard link that of a regular
/// file.
std::uint32_t file_type(TarType type);

/// One file of a tar archive, whatever dialect described it.
struct TarEntry {
  TarType type = TarType::regular;
  std::string path;        ///< as in the archive: may be absolute, "./x", "x/"; never empty, no NUL
  std::string link;        ///< symlink: target; hard link: path of the other name; else empty
  std::uint32_t mode = 0;  ///< permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< bytes of content; 0 for all but regular files
  tree::Timestamp mtime;
  std::uint32_t rdev = 0;           ///< makedev(3) of devices, else 0
  std::vector<tree::Xattr> xattrs;  ///< names are unique

  /// Extensions that tools have dialects of, for those who read only one of these.
  bool is_sparse = false;
  bool has_schily_capability = false;  ///< security.capability as a record of star, GNU tar and Go
  bool has_acl_text = false;           ///< a textual ACL (SCHILY.acl.*) was there and is not kept
  std::uint64_t header_offset = 0;     ///< of its first header in the archive, in bytes
  std::uint64_t content_offset = 0;    ///< of its content in the archive, in bytes
};

struct RawTarHeader;
struct SparseMap;
class SparseCursor;
struct SparseExtent;

/// What one archive may cost. Over a limit: error kind limit, which names it.
struct TarLimits {
  std::uint64_t headers = 16'000'000;         ///< with those that only describe the next one
  std::uint64_t stream_bytes = 256ull << 30;  ///< the whole archive
  std::uint64_t hole_bytes = 8ull << 30;      ///< zeros that sparse files do not store, together
  std::uint32_t pax_bytes = 1 << 20;          ///< one extended header, long name or sparse map
  std::uint32_t path_bytes = 4095;            ///< PATH_MAX without its NUL; link targets too
  std::uint32_t xattrs = 1000;                ///< of one entry
  std::uint32_t xattr_name_bytes = 255;
  std::uint32_t xattr_value_bytes = 65535;
  /// Largest user and group id. 2^32-1 means "leave as it is" to chown(2), so nobody can own it.
  std::uint32_t max_id = 4294967294;
};

/// Reads a tar archive front to back: v7, ustar, star, GNU (long names, base-256), PAX (local and
/// global headers) and sparse files (GNU's old format and its PAX formats 0.0, 0.1 and 1.0), which
/// read as whole files. Where Go's archive/tar and GNU tar agree, so does this: entries without
/// content (links, directories, devices) may state a size, which says nothing, and an archive may
/// end at an entry without an end mark or with half of one. Where readers differ, the archive is
/// refused: two names for one entry, NUL in PAX values, anything but zeros after the end mark, a
/// regular file whose name ends in a slash but has content. So is an archive that is cut off
/// anywhere else. An empty value of a PAX key removes it, except for xattrs, whose value may be
/// empty. Not thread-safe.
class TarReader {
 public:
  /// Moves the position of the stream forward by a number of bytes, or fails where it ends before.
  using Skipper = std::function<Result<void>(std::uint64_t bytes)>;

  /// `stream` must outlive the reader. With `skipper` content that nobody reads is jumped over.
  explicit TarReader(ByteStream& stream, const TarLimits& limits = {}, Skipper skipper = {});
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// The next entry; skips what is left of the content of the last one. Nothing at the end, when
  /// the stream has been read to its very end (a hash over it is then complete). After an error the
  /// reader cannot be used any more.
  Result<std::optional<TarEntry>> next();

  /// Up to `out.size()` bytes of the content of the current entry; 0 at its end.
  Result<std::size_t> read_content(MutableByteSpan out);

  /// How the current entry is stored if it is a sparse file; otherwise null.
  std::shared_ptr<const SparseMap> sparse() const { return sparse_; }

  std::uint64_t position() const { return position_; }  ///< bytes of the archive read so far
  std::uint64_t hole_bytes() const { return holes_; }   ///< of sparse files so far
  /// After the last entry: whether all of the end mark was there.
  bool has_end_mark() const { return has_end_mark_; }

 private:
  struct Special;
  struct Global;
  using Records = std::map<std::string, std::string, std::less<>>;

  Result<std::size_t> fill(MutableByteSpan out);
  Result<void> skip(std::uint64_t bytes);
  Result<bool> read_block(MutableByteSpan out);
  Result<void> read_end();
  Result<std::string> read_special(std::uint64_t size, std::string_view what);
  Result<std::string> read_long_name(std::uint64_t size);
  Result<void> read_pax(std::uint64_t size, Special& special);
  Result<void> read_global(std::uint64_t size);
  Result<bool> take_sparse_record(Special& special, std::string_view key,
                                  std::string_view value) const;
  Result<void> read_sparse(const RawTarHeader& raw, const Special& special, TarEntry& entry);
  Result<SparseMap> read_gnu_sparse(const RawTarHeader& raw);
  Result<SparseMap> read_pax_sparse(const Special& special);
  Result<std::vector<SparseExtent>> read_sparse_content();
  Error sparse_map_too_long() const;
  Result<std::size_t> read_stored(MutableByteSpan out);
  Result<bool> read_special_header(const RawTarHeader& raw, Special& special);
  Result<std::optional<RawTarHeader>> read_headers(Special& special);
  Result<TarEntry> make_entry(const RawTarHeader& raw, Special& special) const;
  Result<void> apply_records(TarEntry& entry, const Special& special) const;
  Result<void> check_entry(const RawTarHeader& raw, TarEntry& entry) const;
  Result<std::uint32_t> device_number(const RawTarHeader& raw, const std::string& path) const;
  Error error(ErrorKind kind, std::string_view text) const;

  ByteStream& stream_;
  TarLimits limits_;
  Skipper skipper_;
  Bytes buffer_;
  std::size_t buffer_begin_ = 0;
  std::size_t buffer_end_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t header_offset_ = 0;
  std::uint64_t content_left_ = 0;
  std::uint64_t padding_ = 0;
  std::uint64_t headers_ = 0;
  bool ended_ = false;
  bool has_end_mark_ = false;
  std::unique_ptr<Global> global_;  ///< parsed once, for all entries
  std::uint64_t holes_ = 0;
  std::shared_ptr<const SparseMap> sparse_;      ///< of the current entry
  std::unique_ptr<SparseCursor> sparse_cursor_;  ///< in `sparse_`
};

}  // namespace intact::oci
