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

}  // namespace intact::image
