#include "export_context.h"

#include <algorithm>

#include <intact/composefs/read.h>

#include "object_opener.h"
#include "stored_image.h"

namespace intact::image {
namespace {

constexpr std::size_t kBuffer = 1024 * 1024;

/// A file's verified content from front to back.
class ContentStream final : public ByteStream {
 public:
  explicit ContentStream(std::shared_ptr<tree::OpenFile> file) : file_(std::move(file)) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(file_->read(offset_, out));
    offset_ += n;
    return n;
  }

 private:
  std::shared_ptr<tree::OpenFile> file_;
  std::uint64_t offset_ = 0;
};

}  // namespace

Result<ExportContext> ExportContext::open(const std::shared_ptr<store::Store>& store,
                                          const std::string& name, const OpenOptions& options) {
  ExportContext context;
  context.image_ = TRY(OpenedImage::open(store, name, options));
  const Digest& image = context.image_->image_digest();
  context.bytes_ = TRY(open_stored_image(*store, image, options.damage));
  context.opener_ =
      std::make_shared<StoreObjectOpener>(store, image, VerityMode::require, options.damage);
  context.tree_ = TRY(composefs::read_tree(context.bytes_));
  return context;
}

Result<std::unique_ptr<ByteStream>> ExportContext::open_content(const tree::Inode& inode) const {
  if (inode.payload.empty() || !inode.content.empty())
    return std::unique_ptr<ByteStream>(std::make_unique<MemoryStream>(to_bytes(inode.content)));
  return std::unique_ptr<ByteStream>(std::make_unique<ContentStream>(
      TRY(opener_->open(inode.payload, inode.digest, inode.attributes.size, tree::NodeId{0}))));
}

Result<void> ExportContext::read_content(const tree::Inode& inode,
                                         const std::function<Result<void>(ByteSpan)>& use) const {
  const auto stream = TRY(open_content(inode));
  Bytes buffer(
      static_cast<std::size_t>(std::clamp<std::uint64_t>(inode.attributes.size, 1, kBuffer)));
  while (const std::size_t n = TRY(stream->read(buffer))) TRY(use(ByteSpan(buffer).first(n)));
  return {};
}

}  // namespace intact::image
