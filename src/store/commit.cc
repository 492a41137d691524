// How a transaction becomes visible: the part of Staging that writes outside its own directory.
#include <algorithm>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/store/name.h>
#include <intact/store/resolve.h>

#include "layout.h"
#include "record.h"
#include "staging.h"

namespace intact::store {

Result<void> Staging::check_name_free(const NamedImage& image, bool replace) const {
  const auto existing = store_.find(image.name);
  if (!existing) {
    // A damaged record refers to nothing: replacing it repairs it.
    const ErrorKind kind = existing.error().kind();
    if (kind == ErrorKind::not_found || kind == ErrorKind::malformed) return {};
    if (kind == ErrorKind::limit) return {};
    return Error(existing.error().kind(), existing.error().message());
  }
  if (replace || existing->manifest == image.manifest) return {};
  return Error(ErrorKind::exists, image.name + ": the store has another image of this name (" +
                                      existing->manifest.to_string() +
                                      "); choose another name or pass --replace");
}

Result<std::vector<Digest>> Staging::check_objects(NamedImage& image,
                                                   const std::vector<Digest>& objects) const {
  const std::lock_guard lock(mutex_);
  // Sorted, so that each directory is handled once.
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
  // One call for all files. It reports every write error since the directory was opened.
  if (::syncfs(dir_.get()) != 0) return Error::from_errno("syncfs", errno);
  return {};
}

/// Whether renameat2 has refused because something is in the way. EINVAL: a file system that cannot
/// tell; then everything is taken for a replacement.
static bool is_in_the_way(int reason) {
  return reason == EEXIST || reason == EINVAL || reason == ENOSYS;
}

Result<void> Staging::publish_file(const std::string& file, Folder folder, const std::string& path,
                                   Replacements& later) {
  const Place from = TRY(locate(dir_.get(), file));
  const Place to = TRY(locate(TRY(store_.folder(folder)), path));
  if (::renameat2(from.directory, from.name.c_str(), to.directory, to.name.c_str(),
                  RENAME_NOREPLACE) == 0)
    return {};
  if (!is_in_the_way(errno))
    return Error::from_errno("publish " + folder_path(folder) + "/" + path, errno);
  later.push_back({file, folder, path});
  return {};
}

void Staging::drop_other_objects(const std::vector<Digest>& objects) {
  const std::lock_guard lock(mutex_);
  for (const auto& [digest, object] : objects_) {
    if (!std::binary_search(objects.begin(), objects.end(), digest)) drop_file(object.file);
  }
}

Result<bool> Staging::publish_directory(const std::string& name) {
  const int objects = TRY(store_.folder(Folder::objects));
  const bool published =
      ::renameat2(dir_.get(), name.c_str(), objects, name.c_str(), RENAME_NOREPLACE) == 0;
  if (!published && !is_in_the_way(errno))
    return Error::from_errno("publish objects/" + name, errno);
  // A symbolic link in its place, there or in what was moved, is an error.
  TRY(make_directory(objects, name, kDirectoryMode).context(store_.path() + "/" + kObjects));
  return published;
}

Result<void> Staging::publish_object(const Digest& digest, Replacements& later) {
  const Object& object = objects_.at(digest);
  Replacements existing;
  TRY(publish_file(object.file, Folder::objects, object_path(digest), existing));
  // A file that we have linked from there is still there, or a good one has replaced it.
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
  const std::string hex = image.image.digest.hex();
  TRY(publish_file(image_file_, Folder::images, hex, later));
  TRY(publish_file(pack_file_, Folder::trees, hex, later));
  for (const auto& [digest, file] : blobs_)
    TRY(publish_file(file, blob_folder(digest), digest.hex(), later));
  return {};
}

Result<void> Staging::replace_files(const Replacements& files) {
  for (const auto& [file, folder, path] : files) {
    const std::string where = store_.path() + "/" + folder_path(folder) + "/" + path;
    const Place from = TRY(locate(dir_.get(), file));
    const Place to = TRY(locate(TRY(store_.folder(folder)), path));
    const auto put = [&] {
      return ::renameat(from.directory, from.name.c_str(), to.directory, to.name.c_str()) == 0;
    };
    if (put()) continue;
    if (errno != EISDIR) return Error::from_errno("publish " + where, errno);
    // An empty directory in its place is ordinary damage; the contents of a full one are not ours.
    if (::unlinkat(to.directory, to.name.c_str(), AT_REMOVEDIR) != 0)
      return Error(ErrorKind::exists,
                   where + ": a directory with something in it is in the way; move it elsewhere");
    if (!put()) return Error::from_errno("publish " + where, errno);
  }
  return {};
}

Result<void> Staging::commit(NamedImage image, bool replace, const std::vector<Digest>& objects,
                             const NamingHooks& hooks) {
  TRY(check_name(image.name));
  TRY(check_digest_in_name(image.name, image.manifest));
  if (!image_ || image_->digest != image.image.digest)
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
    // The present files may belong to other images, so only files that are on the disk may replace
    // them. They have the same content, or are damaged and thereby repaired.
    TRY(replace_files(later));
    TRY(sync());
  }
  const FileLock names = TRY(FileLock::exclusive(store_.dir_fd(), kNamesLock));
  TRY(check_name_free(image, replace));  // another transaction may have been faster
  if (hooks.before) TRY(hooks.before());
  TRY(write_file_durably_at(TRY(store_.folder(Folder::names)), encode_name(image.name) + ".json",
                            as_bytes(encode_record(image)), kFileMode)
          .context(store_.path() + "/" + kNames));
  if (hooks.after) hooks.after();
  drop_parts();
  return {};
}

}  // namespace intact::store
