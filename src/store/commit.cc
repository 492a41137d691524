// How a transaction becomes visible: the part of Staging that writes outside its own directory.
#include <algorithm>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/store/name.h>

#include "layout.h"
#include "record.h"
#include "staging.h"

namespace intact::store {

Result<void> Staging::check_name_free(const NamedImage& image, bool replace) const {
  const auto existing = store_.find(image.name);
  if (!existing) {
    // A damaged record stands for nothing: it is mended by being replaced.
    const ErrorKind kind = existing.error().kind();
    if (kind == ErrorKind::not_found || kind == ErrorKind::malformed) return {};
    if (kind == ErrorKind::limit) return {};
    return Error(existing.error().kind(), existing.error().message());
  }
  if (replace || existing->manifest == image.manifest) return {};
  return Error(ErrorKind::exists, "'" + image.name + "' is another image already (" +
                                      existing->manifest.to_string() +
                                      "): choose another name or say --replace");
}

Result<std::vector<Digest>> Staging::check_objects(NamedImage& image,
                                                   const std::vector<Digest>& objects) const {
  const std::lock_guard lock(mutex_);
  // In order, so that each directory is dealt with once.
  std::vector<Digest> sorted = objects;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  image.size = image_->data_size;
  bool uses_object_dirs = false;
  for (const Digest& digest : sorted) {
    const auto found = objects_.find(digest);
    if (found == objects_.end() || !found->second.complete)
      return Error(ErrorKind::invalid_argument,
                   "object " + digest.hex() + " of the image has not been staged");
    image.size += found->second.size;
    uses_object_dirs |= found->second.file.empty();
  }
  image.object_dirs.clear();
  if (uses_object_dirs) image.object_dirs = store_.object_dirs();
  image.blobs.clear();
  for (const auto& [digest, file] : blobs_) image.blobs.push_back(digest);
  std::sort(image.blobs.begin(), image.blobs.end());
  return sorted;
}

Result<void> Staging::finish_pack(const std::vector<Digest>& objects) {
  std::vector<PackEntry> entries;
  for (const Digest& digest : objects) {
    const Object& object = objects_.at(digest);
    if (object.tree_length > 0)
      entries.push_back({digest, object.size, object.tree_offset, object.tree_length});
  }
  if (image_->length > 0) entries.push_back(*image_);
  return pack_->finish(std::move(entries)).context("write the hash trees");
}

Result<void> Staging::sync() const {
  // One call for all files. It reports what could not be written since the directory was opened.
  if (::syncfs(dir_.get()) != 0) return Error::from_errno("syncfs", errno);
  return {};
}

Result<void> Staging::publish_file(const std::string& file, const std::string& path,
                                   Replacements& later) {
  if (::renameat2(dir_.get(), file.c_str(), store_.dir_fd(), path.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  // EINVAL: a file system that cannot tell; then everything is taken for a replacement.
  if (errno != EEXIST && errno != EINVAL && errno != ENOSYS)
    return Error::from_errno("publish " + path, errno);
  later.emplace_back(file, path);
  return {};
}

void Staging::drop_other_objects(const std::vector<Digest>& objects) {
  const std::lock_guard lock(mutex_);
  for (const auto& [digest, object] : objects_) {
    if (!std::binary_search(objects.begin(), objects.end(), digest)) drop_file(object.file);
  }
}

Result<bool> Staging::publish_directory(const std::string& name) {
  const std::string path = std::string(kObjects) + "/" + name;
  if (::renameat2(dir_.get(), name.c_str(), store_.dir_fd(), path.c_str(), RENAME_NOREPLACE) == 0)
    return true;
  // EINVAL: a file system that cannot tell.
  if (errno != EEXIST && errno != EINVAL && errno != ENOSYS)
    return Error::from_errno("publish " + path, errno);
  TRY(make_directory(store_.dir_fd(), path, kDirectoryMode));
  TRY(open_beneath(store_.dir_fd(), path, O_RDONLY | O_DIRECTORY));  // is no symlink
  return false;
}

Result<void> Staging::publish_object(const Digest& digest, Replacements& later) {
  const Object& object = objects_.at(digest);
  Replacements existing;
  TRY(publish_file(object.file, std::string(kObjects) + "/" + object_path(digest), existing));
  // A file that we have linked from there is there still, or a good one has taken its place.
  if (!object.linked) later.insert(later.end(), existing.begin(), existing.end());
  return {};
}

Result<void> Staging::publish_objects(const std::vector<Digest>& objects, Replacements& later) {
  drop_other_objects(objects);
  std::string directory;
  bool published = false;
  for (const Digest& digest : objects) {
    if (objects_.at(digest).file.empty()) continue;
    if (const std::string its_own = object_directory(digest); its_own != directory) {
      published = TRY(publish_directory(its_own));
      directory = its_own;
    }
    if (!published) TRY(publish_object(digest, later));
  }
  return {};
}

Result<void> Staging::publish(const NamedImage& image, const std::vector<Digest>& objects,
                              Replacements& later) {
  TRY(publish_objects(objects, later));
  const std::string hex = image.image.hex();
  TRY(publish_file(image_file_, std::string(kImages) + "/" + hex, later));
  TRY(publish_file(pack_file_, std::string(kTrees) + "/" + hex, later));
  for (const auto& [digest, file] : blobs_)
    TRY(publish_file(file, std::string(kBlobs) + "/" + blob_path(digest), later));
  return {};
}

Result<void> Staging::replace_files(const Replacements& files) {
  for (const auto& [file, path] : files) {
    const auto put = [&] {
      return ::renameat(dir_.get(), file.c_str(), store_.dir_fd(), path.c_str()) == 0;
    };
    if (put()) continue;
    if (errno != EISDIR) return Error::from_errno("publish " + path, errno);
    // An empty directory in its place is damage like any other; what is in a full one is not ours.
    if (::unlinkat(store_.dir_fd(), path.c_str(), AT_REMOVEDIR) != 0)
      return Error(ErrorKind::exists, store_.path() + "/" + path +
                                          " is a directory with something in it: move it away");
    if (!put()) return Error::from_errno("publish " + path, errno);
  }
  return {};
}

Result<void> Staging::commit(NamedImage image, bool replace, const std::vector<Digest>& objects,
                             const NamingHooks& hooks) {
  TRY(check_name(image.name));
  if (!image_ || image_->digest != image.image)
    return Error(ErrorKind::invalid_argument, "the image to be named has not been staged");
  TRY(check_name_free(image, replace));
  if (image.created == 0) image.created = ::time(nullptr);
  const std::vector<Digest> sorted = TRY(check_objects(image, objects));
  TRY(finish_pack(sorted));
  // From here to the record nothing refers to what has been published.
  const FileLock no_gc = TRY(FileLock::shared(store_.dir_fd(), kGcLock));
  Replacements later;
  TRY(publish(image, sorted, later));
  TRY(sync());
  if (!later.empty()) {
    // What is there may belong to other images: only what is on the disk may replace it. It is the
    // same content, or damaged and thereby mended.
    TRY(replace_files(later));
    TRY(sync());
  }
  const FileLock names = TRY(FileLock::exclusive(store_.dir_fd(), kNamesLock));
  TRY(check_name_free(image, replace));  // another transaction may have been faster
  if (hooks.before) TRY(hooks.before());
  TRY(write_file_durably_at(store_.dir_fd(),
                            std::string(kNames) + "/" + encode_name(image.name) + ".json",
                            as_bytes(encode_record(image)), kFileMode));
  if (hooks.after) hooks.after();
  return {};
}

}  // namespace intact::store
