#include "export_context.h"

#include <algorithm>

namespace intact::image {
namespace {

constexpr std::size_t kBuffer = 1024 * 1024;

}  // namespace

Result<ExportContext> ExportContext::open(const std::shared_ptr<store::Store>& store,
                                          const std::string& name, const OpenOptions& options) {
  ExportContext context;
  context.image_ = TRY(OpenedImage::open(store, name, options));
  const ImageId& image = context.image_->image();
  const Profile& profile = *TRY(find_profile(image.format));
  context.contents_ = TRY(profile.read(store, image.digest, options.damage));
  return context;
}

Result<void> copy_content(const ImageContents& contents, const tree::Inode& inode,
                          const std::function<Result<void>(ByteSpan)>& use) {
  const auto stream = TRY(contents.open(inode));
  Bytes buffer(
      static_cast<std::size_t>(std::clamp<std::uint64_t>(inode.attributes.size, 1, kBuffer)));
  while (const std::size_t n = TRY(stream->read(buffer))) TRY(use(ByteSpan(buffer).first(n)));
  return {};
}

Result<void> count_files(const tree::Tree& tree, ExportReport& report) {
  return tree.walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
    ++report.files;
    if (!entry.hard_link && entry.inode->attributes.is_regular())
      report.bytes += entry.inode->attributes.size;
    return {};
  });
}

}  // namespace intact::image
