#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/oci/tar_entry.h>

namespace intact::oci {

struct RawTarHeader;

/// What one archive may cost. Over a limit: error kind limit, which names it.
struct TarLimits {
  std::uint64_t headers = 16'000'000;         ///< with those that only describe the next one
  std::uint64_t stream_bytes = 256ull << 30;  ///< the whole archive
  std::uint32_t pax_bytes = 1 << 20;          ///< one extended header, or one GNU long name
  std::uint32_t path_bytes = 4095;            ///< PATH_MAX without its NUL; link targets too
  std::uint32_t xattrs = 1000;                ///< of one entry
  std::uint32_t xattr_name_bytes = 255;
  std::uint32_t xattr_value_bytes = 65535;
  /// Largest user and group id. 2^32-1 means "leave as it is" to chown(2), so nobody can own it.
  std::uint32_t max_id = 4294967294;
};

/// Reads a tar archive strictly, front to back: v7, ustar, star, GNU (long names, base-256) and PAX
/// (local and global headers). Where readers are known to differ about a construct it is refused:
/// a size on a type without content, two names for one entry, NUL in PAX values, anything but
/// zeros behind the end mark, a missing end mark. Sparse files are unsupported. An empty value of a
/// PAX key removes it, but for xattrs, whose value may be empty. Not thread-safe.
class TarReader {
 public:
  /// Moves the position of the stream forward by a number of bytes, or fails where it ends before.
  using Skipper = std::function<Result<void>(std::uint64_t bytes)>;

  /// `stream` must outlive the reader. With `skipper` content that nobody reads is jumped over.
  explicit TarReader(ByteStream& stream, const TarLimits& limits = {}, Skipper skipper = {});

  /// The next entry; skips what is left of the content of the last one. Nothing at the end, when
  /// the stream has been read to its very end (a hash over it is then complete). After an error the
  /// reader is of no more use.
  Result<std::optional<TarEntry>> next();

  /// Up to `out.size()` bytes of the content of the current entry; 0 at its end.
  Result<std::size_t> read_content(MutableByteSpan out);

  std::uint64_t position() const { return position_; }  ///< bytes of the archive read so far

 private:
  struct Special;
  using Records = std::map<std::string, std::string, std::less<>>;

  Result<std::size_t> fill(MutableByteSpan out);
  Result<void> skip(std::uint64_t bytes);
  Result<bool> read_block(MutableByteSpan out);
  Result<void> read_end();
  Result<std::string> read_special(std::uint64_t size, std::string_view what);
  Result<std::string> read_long_name(std::uint64_t size);
  Result<void> read_pax(std::uint64_t size, Records& records);
  Result<void> read_global(std::uint64_t size);
  Result<bool> read_special_header(const RawTarHeader& raw, Special& special);
  Result<std::optional<RawTarHeader>> read_headers(Special& special);
  Result<TarEntry> make_entry(const RawTarHeader& raw, Special&& special) const;
  Result<std::uint32_t> header_id(std::optional<std::int64_t> id, std::string_view key,
                                  const Records& records) const;
  Result<std::uint32_t> check_id(std::uint64_t id, std::string_view key) const;
  Result<void> apply_record(TarEntry& entry, const std::string& key,
                            const std::string& value) const;
  Result<void> add_xattr(TarEntry& entry, const std::string& key, const std::string& value) const;
  Result<void> check_entry(TarEntry& entry) const;
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
  Records global_;
};

}  // namespace intact::oci
