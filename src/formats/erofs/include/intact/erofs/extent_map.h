#pragma once

#include <cstdint>
#include <functional>

#include <intact/base/result.h>
#include <intact/erofs/image.h>

namespace intact::erofs {

/// A piece of a file's content and where it is stored.
struct Extent {
  enum class Place {
    image,   ///< bytes of the image
    packed,  ///< bytes of the content of the packed inode
  };
  Place place = Place::image;
  std::uint64_t logical = 0;        ///< byte of the file
  std::uint64_t length = 0;         ///< bytes of the file
  std::uint64_t offset = 0;         ///< first stored byte
  std::uint64_t stored_length = 0;  ///< bytes; other than `length` where they are compressed
};

/// The end of the map header of a compressed file: ExtentMap::open reads nothing after it.
std::uint64_t map_header_end(const Inode& inode);

/// Where the content of a file, directory or symlink is stored, in any layout. Nothing is
/// decompressed, and it is not checked that it could be. Thread-safe.
///
/// malformed: not a well-formed map, or one that leads out of the image; unsupported: of an unknown
/// kind. What was listed before an error is correct.
class ExtentMap {
 public:
  /// Reads the map header, if there is one. `image` must outlive the map.
  static Result<ExtentMap> open(const Image& image, const Inode& inode);

  /// The end of what follows the inode and its extended attributes: its tail, the addresses of its
  /// chunks, or its index. A byte offset within the image.
  std::uint64_t metadata_end() const { return metadata_end_; }

  /// Index entries and chunk addresses that list() reads: what it costs.
  std::uint64_t entries() const { return entries_; }

  /// Calls `emit` for each extent, in order; holes have none. An error of `emit` ends the listing
  /// and is returned. Memory does not depend on the size of the file.
  using Emit = std::function<Result<void>(const Extent&)>;
  Result<void> list(const Emit& emit) const;

 private:
  ExtentMap(const Image& image, const Inode& inode) : image_(&image), inode_(inode) {}
  Result<void> place_table(std::uint64_t begin, std::uint64_t length);
  Result<void> open_chunked();
  Result<void> open_compressed();
  Result<void> list_plain(const Emit& emit) const;
  Result<void> list_chunks(const Emit& emit) const;
  Result<void> list_clusters(const Emit& emit) const;

  const Image* image_;
  Inode inode_;
  std::uint64_t table_offset_ = 0;  ///< of chunk addresses or index
  std::uint64_t metadata_end_ = 0;
  std::uint64_t entries_ = 0;

  // Compressed files only.
  std::uint16_t advise_ = 0;
  std::uint64_t inline_size_ = 0;  ///< bytes; 0: the last extent is not inline
  std::uint64_t fragment_offset_ =
      0;  ///< of the last extent, if kAdviseFragment; bits known so far
};

}  // namespace intact::erofs
