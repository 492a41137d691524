#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/oci/blob_copy.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>

namespace intact::oci {

class LayoutWriter;

/// A blob on its way into a layout. Discarded unless finished.
class LayoutBlob final : public BlobWriter {
 public:
  LayoutBlob(LayoutBlob&&) noexcept;
  LayoutBlob& operator=(LayoutBlob&&) = delete;
  ~LayoutBlob() override;

  Result<void> write(ByteSpan bytes) override;
  Result<std::unique_ptr<ByteStream>> read_back() const override;
  Result<Descriptor> finish(std::string_view media_type) override;

 private:
  friend class LayoutWriter;
  LayoutBlob(LayoutWriter& writer, UniqueFd fd, std::string temp)
      : writer_(&writer), fd_(std::move(fd)), temp_(std::move(temp)) {}

  LayoutWriter* writer_;
  UniqueFd fd_;
  std::string temp_;
  crypto::Hasher hasher_;
  std::uint64_t size_ = 0;
};

/// Creates an image layout in a directory or adds to one. Readers see nothing before commit():
/// blobs are staged under temporary names, made durable together, renamed, and index.json comes
/// last. Without commit() the layout stays as it was. Each directory is opened once, beneath the
/// layout and without following symbolic links, and used through its descriptor from then on. Not
/// thread-safe.
///
///   auto layout = TRY(LayoutWriter::open_or_create(dir));
///   const Descriptor manifest = TRY(layout->put_blob(bytes, kManifestType));
///   TRY(layout->set_tag("1.0-sealed", manifest));
///   TRY(layout->commit());
class LayoutWriter {
 public:
  /// Holds a lock (flock) on the directory as long as it lives: busy when another process has it.
  /// exists when the directory is not a layout and not empty; tampered when one of the layout's
  /// directories is a symbolic link.
  static Result<std::unique_ptr<LayoutWriter>> open_or_create(const std::string& directory);
  LayoutWriter(const LayoutWriter&) = delete;
  LayoutWriter& operator=(const LayoutWriter&) = delete;
  ~LayoutWriter();

  Result<Descriptor> put_blob(ByteSpan bytes, std::string_view media_type);
  Result<LayoutBlob> new_blob();
  /// Whether the blob is staged, or here and intact.
  Result<bool> has_blob(const Descriptor& blob) { return is_present(blob.digest, blob.size); }
  /// Copies a blob out of `source`, cloned where the file system can; tampered unless it has the
  /// size and digest of `descriptor`. One that is already here and intact is left alone; a damaged
  /// one is replaced. Returns the bytes that were hashed, for further use: they are read once.
  Result<BlobCopy> copy_blob(const BlobSource& source, const Descriptor& descriptor,
                             const BlobProgress& progress = {});
  /// A file without a name in the directory of the layout, which may be the only one on its file
  /// system that the caller can write to.
  Result<UniqueFd> temporary_file() const;
  /// The layout as the writer found it, for reading: index and directory are those that are
  /// written.
  /// `known`: see ImageDestination::reader().
  Result<std::unique_ptr<ImageSource>> reader(const std::set<Digest>& known) const;

  /// Descriptors of index.json that have this name.
  std::vector<Descriptor> find_tag(std::string_view tag) const;
  /// Gives `tag` to a manifest, in place of any other of that name. Annotations of the descriptor
  /// are written too; ref.name is set here.
  Result<void> set_tag(const std::string& tag, const Descriptor& descriptor);
  /// Adds a manifest that has no name, with its annotations, unless it is there without one.
  void add_unnamed(const Descriptor& descriptor);
  /// Removes an annotation wherever it has this value (any value when empty) in index.json. cosign
  /// takes the first descriptor of each `kind`, so an older pair has to lose its marks.
  void remove_annotation(std::string_view key, std::string_view value = {});

  /// Publishes everything. Afterwards the writer can be used again.
  Result<void> commit();

 private:
  friend class LayoutBlob;
  struct Staged {
    std::string temp;
    Digest digest;
  };
  struct Root;  ///< the directory, and where it is

  LayoutWriter(std::string directory, Root root);
  /// blobs/sha256 or blobs/sha512, opened at first use; not_found while it is missing.
  Result<int> blobs_of(HashAlgorithm algorithm, bool make);
  Result<UniqueFd> make_temp(std::string& name);
  bool is_staged(const Digest& digest) const;
  /// The file of a blob that is here, if it has that size.
  std::optional<UniqueFd> find_blob(const Digest& digest, std::uint64_t size);
  Result<bool> is_present(const Digest& digest, std::uint64_t size);
  Result<BlobCopy> stage_copy(const BlobSource& source, const Descriptor& descriptor,
                              const BlobProgress& progress);
  Result<void> publish();
  void discard();

  std::string directory_;
  UniqueFd fd_;
  UniqueFd parent_;   ///< where the directory was made, if it was
  std::string name_;  ///< its name there
  UniqueFd blobs_;
  UniqueFd sha256_;
  UniqueFd sha512_;
  Json index_;
  bool created_ = false;         ///< there is no oci-layout yet
  bool made_directory_ = false;  ///< nor was there a directory
  std::vector<Staged> staged_;
  unsigned temp_counter_ = 0;
};

/// Writes the layout in `directory` as one tar (oci-archive:). The same layout gives the same
/// bytes. The file appears whole or not at all; error kind exists when there is one already. "-" is
/// standard output.
Result<void> write_layout_archive(const std::string& directory, const std::string& file);

}  // namespace intact::oci
