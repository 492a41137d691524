#include "export_context.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/composefs/read.h>

#include "object_opener.h"
#include "paths.h"
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

Result<bool> is_missing_or_empty(const std::string& path) {
  auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!fd && fd.error().kind() == ErrorKind::not_found) return true;
  if (!fd && fd.error().sys_errno() == ENOTDIR) return false;
  if (!fd) return std::move(fd).error();
  return TRY(list_names(fd->get()).context(path)).empty();
}

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

Result<NewDirectory> NewDirectory::create(const std::string& path) {
  if (!TRY(is_missing_or_empty(path)))
    return Error(ErrorKind::exists,
                 path + ": already exists and is not an empty directory; choose another name");
  std::string final_path = path;
  while (final_path.size() > 1 && final_path.back() == '/') final_path.pop_back();
  TempDir temp = TRY(TempDir::create(parent_directory(final_path), ".intact-export-"));
  std::string inside = temp.path("root");
  if (::mkdir(inside.c_str(), 0755) != 0) return Error::from_errno(inside, errno);
  return NewDirectory(std::move(temp), std::move(inside), std::move(final_path));
}

Result<void> NewDirectory::publish() {
  if (::rename(inside_.c_str(), final_path_.c_str()) != 0)
    return Error::from_errno(final_path_, errno);
  return {};
}

}  // namespace intact::image
