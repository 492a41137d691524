#include <cerrno>
#include <set>

#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/composefs/scan.h>

#include "composefs_profile.h"
#include "export_context.h"

namespace intact::image {
namespace {

/// Whether a file's content is in an object of its own.
bool has_object(const tree::Inode& inode) {
  return inode.attributes.is_regular() && !inode.payload.empty() && inode.content.empty();
}

/// Objects are named by their digest here; a path that an image's author chose is never written to.
Result<void> check_object_names(const tree::Tree& tree) {
  return tree.walk([](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    if (!has_object(inode)) return {};
    if (!inode.digest || inode.payload != composefs::object_path(*inode.digest))
      return Error(ErrorKind::malformed,
                   path +
                       ": its object is not named by its digest; export the image as rootfs: or "
                       "tar: instead");
    return {};
  });
}

/// A directory in `parent`, made unless it is there.
Result<UniqueFd> make_directory(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::from_errno(name, errno);
  return open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

Result<ExportReport> export_composefs_files(const std::shared_ptr<const store::Store>& store,
                                            const Digest& image, const DamageSink& damage,
                                            const std::string& directory) {
  const std::shared_ptr<const ByteSource> source = TRY(open_composefs_image(*store, image, damage));
  const auto contents = TRY(composefs_profile().read(store, image, damage));
  const tree::Tree& tree = contents->tree();
  TRY(check_object_names(tree));
  NewDirectory out = TRY(NewDirectory::create(directory, content_directory_mode()));
  ExportReport report;
  TRY(count_files(tree, report));
  const UniqueFd objects = TRY(make_directory(out.fd(), "objects"));
  std::set<std::string> written;
  TRY(tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    const tree::Inode& inode = *entry.inode;
    if (!has_object(inode) || !written.insert(inode.payload).second) return {};
    // "ab/cdef...", as check_object_names() says.
    const UniqueFd prefix = TRY(make_directory(objects.get(), inode.payload.substr(0, 2)));
    const UniqueFd fd = TRY(open_at(prefix.get(), inode.payload.substr(3),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    return copy_content(*contents, inode,
                        [&](ByteSpan bytes) { return write_all(fd.get(), bytes); })
        .context(path);
  }));
  Bytes file(static_cast<std::size_t>(source->size()));
  TRY(source->read(0, file));
  TRY(write_file_durably_at(out.fd(), "image.cfs", file, 0644));
  TRY(out.publish());
  return report;
}

}  // namespace intact::image
