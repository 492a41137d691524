#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/image_source.h>

namespace intact::oci {

class LayoutWriter;

/// A blob on its way into a layout. Discarded unless finished.
class LayoutBlob {
 public:
  LayoutBlob(LayoutBlob&&) noexcept;
  LayoutBlob& operator=(LayoutBlob&&) = delete;
  ~LayoutBlob();

  Result<void> write(ByteSpan bytes);
  /// Ends the blob and tells what it is.
  Result<Descriptor> finish(std::string_view media_type);

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

/// Creates an image layout in a directory or adds to one. Nothing is seen by readers before
/// commit(): blobs are staged under temporary names, made durable together, renamed, and index.json
/// comes last. Without commit() the layout stays as it was. Not thread-safe.
///
///   auto layout = TRY(LayoutWriter::open_or_create(dir));
///   const Descriptor manifest = TRY(layout->put_blob(bytes, kManifestType));
///   TRY(layout->set_tag("1.0-sealed", manifest));
///   TRY(layout->commit());
class LayoutWriter {
 public:
  /// Takes a lock (flock) on the directory for its life: busy when another process has it. exists
  /// when the directory has other things in it and is no layout.
  static Result<std::unique_ptr<LayoutWriter>> open_or_create(const std::string& directory);
  LayoutWriter(const LayoutWriter&) = delete;
  LayoutWriter& operator=(const LayoutWriter&) = delete;
  ~LayoutWriter();

  Result<Descriptor> put_blob(ByteSpan bytes, std::string_view media_type);
  Result<LayoutBlob> new_blob();
  /// Copies a blob out of `source`, cloned where the file system can; tampered unless it has the
  /// size and digest of `descriptor`. One that is already here and intact is left alone; a damaged
  /// one is replaced. `progress` is told of bytes that are dealt with; their sum is the blob's
  /// size. An error from it ends the copying.
  Result<void> copy_blob(const ImageSource& source, const Descriptor& descriptor,
                         const std::function<Result<void>(std::uint64_t bytes)>& progress = {});

  /// Descriptors of index.json that bear this name.
  std::vector<Descriptor> find_tag(std::string_view tag) const;
  /// Gives `tag` to a manifest, in the place of whatever had that name. Annotations of the
  /// descriptor are written too; ref.name is set here.
  Result<void> set_tag(const std::string& tag, const Descriptor& descriptor);
  /// Adds a manifest that has no name, for what its annotations say about it.
  void add_unnamed(const Descriptor& descriptor);
  /// Removes the descriptors of that name; blobs stay. Returns whether there were any.
  bool remove_tag(std::string_view tag);
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

  LayoutWriter(std::string directory, UniqueFd fd, Json index, bool created, bool made_directory)
      : directory_(std::move(directory)),
        fd_(std::move(fd)),
        index_(std::move(index)),
        created_(created),
        made_directory_(made_directory) {}
  Result<UniqueFd> make_temp(std::string& name);
  Result<bool> is_present(const Digest& digest, std::uint64_t size) const;
  void discard();

  std::string directory_;
  UniqueFd fd_;
  Json index_;
  bool created_;         ///< there is no oci-layout yet
  bool made_directory_;  ///< nor was there a directory
  std::vector<Staged> staged_;
  unsigned temp_counter_ = 0;
};

/// Writes the layout in `directory` as one tar (oci-archive:). The same layout gives the same
/// bytes. The file appears whole or not at all; error kind exists when there is one already. "-" is
/// standard output.
Result<void> write_layout_archive(const std::string& directory, const std::string& file);

}  // namespace intact::oci
