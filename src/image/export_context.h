#pragma once

#include <functional>
#include <memory>
#include <string>

#include <intact/image/export.h>
#include <intact/image/opened_image.h>
#include <intact/tree/tree.h>

#include "profile.h"

namespace intact::image {

/// What every kind of export reads: a checked image, its tree, and contents that are verified as
/// they are read.
class ExportContext {
 public:
  static Result<ExportContext> open(const std::shared_ptr<store::Store>& store,
                                    const std::string& name, const OpenOptions& options);

  const OpenedImage& image() const { return *image_; }
  const tree::Tree& tree() const { return contents_->tree(); }
  const ImageContents& contents() const { return *contents_; }

 private:
  std::unique_ptr<OpenedImage> image_;
  std::unique_ptr<ImageContents> contents_;
};

/// Passes on the content of a regular file piece by piece.
Result<void> copy_content(const ImageContents& contents, const tree::Inode& inode,
                          const std::function<Result<void>(ByteSpan)>& use);

/// Counts names and bytes of a tree.
Result<void> count_files(const tree::Tree& tree, ExportReport& report);

}  // namespace intact::image
