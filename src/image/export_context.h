#pragma once

#include <functional>
#include <memory>
#include <string>

#include <intact/base/file.h>
#include <intact/composefs/image_tree.h>
#include <intact/image/opened_image.h>
#include <intact/tree/tree.h>

namespace intact::image {

/// What every kind of export reads: a checked image, its tree, and contents that are verified as
/// they are read.
class ExportContext {
 public:
  static Result<ExportContext> open(const std::shared_ptr<store::Store>& store,
                                    const std::string& name, const OpenOptions& options);

  const OpenedImage& image() const { return *image_; }
  const ByteSource& bytes() const { return *bytes_; }  ///< of the EROFS image
  const tree::Tree& tree() const { return tree_; }

  /// Hands out the content of a regular file piece by piece.
  Result<void> read_content(const tree::Inode& inode,
                            const std::function<Result<void>(ByteSpan)>& use) const;
  Result<std::unique_ptr<ByteStream>> open_content(const tree::Inode& inode) const;

 private:
  std::unique_ptr<OpenedImage> image_;
  std::shared_ptr<const ByteSource> bytes_;
  std::shared_ptr<const composefs::ObjectOpener> opener_;
  tree::Tree tree_;
};

/// A directory that is filled out of sight, beside where it is to stand, and then takes its place.
class NewDirectory {
 public:
  /// exists when there is something at `path` already, but for an empty directory.
  static Result<NewDirectory> create(const std::string& path);
  const std::string& path() const { return inside_; }
  Result<void> publish();

 private:
  NewDirectory(TempDir temp, std::string inside, std::string final_path)
      : temp_(std::move(temp)), inside_(std::move(inside)), final_path_(std::move(final_path)) {}
  TempDir temp_;
  std::string inside_;
  std::string final_path_;
};

}  // namespace intact::image
