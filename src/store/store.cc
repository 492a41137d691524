#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/crypto/hash.h>
#include <intact/store/name.h>
#include <intact/store/store.h>

#include "layout.h"
#include "record.h"
#include "tree_pack.h"

namespace intact::store {
namespace {

/// Its file in names/.
std::string record_file(const std::string& name) {
  return encode_name(name) + ".json";
}

Error no_such_image(const std::string& name, const std::string& store) {
  return Error(ErrorKind::not_found, name + ": no such image in the store " + store);
}

/// Whether no component is empty, "." or "..": garbage collection compares paths, so each object
/// must have exactly one.
bool is_plain_path(const std::string& path) {
  const std::string whole = "/" + path + "/";
  return whole.find("//") == std::string::npos && whole.find("/./") == std::string::npos &&
         whole.find("/../") == std::string::npos && whole.find('\0') == std::string::npos;
}

/// Opens a file whose name is the digest of its content. Anything else in its place, such as a
/// symbolic link or a directory, is not that content.
Result<UniqueFd> open_content(int dir_fd, const std::string& path) {
  auto fd = open_regular(dir_fd, path);
  if (!fd && fd.error().kind() == ErrorKind::malformed)
    return Error(ErrorKind::tampered, fd.error().message());
  return fd;
}

bool is_marker_temporary(const std::string& name) {
  return name.starts_with("." + std::string(kMarkerFile) + ".tmp");
}

Result<void> make_layout(int dir) {
  for (const char* name : {kObjects, kImages, kTrees, kNames})
    TRY(make_directory(dir, name, kDirectoryMode));
  for (const char* name : {kStaging, kLeases})
    TRY(make_directory(dir, name, kPrivateDirectoryMode));
  const UniqueFd blobs = TRY(make_directory(dir, kBlobs, kDirectoryMode));
  for (const char* name : {"sha256", "sha512"})
    TRY(make_directory(blobs.get(), name, kDirectoryMode));
  return {};
}

std::string new_id() {
  return random_name("") + random_name("");
}

/// Whether this user or root made the marker in it. Another user may have put a marker into a
/// directory that is not a store, where both can write.
bool is_own_marker(int dir) {
  const auto file = open_regular(dir, kMarkerFile);
  struct stat st;
  return file && ::fstat(file->get(), &st) == 0 && st.st_nlink == 1 &&
         (st.st_uid == ::geteuid() || st.st_uid == 0);
}

Result<Marker> read_marker(int dir) {
  const UniqueFd file = TRY(open_regular(dir, kMarkerFile));
  return parse_marker(TRY(read_fd(file.get(), kRecordLimit)));
}

Result<void> write_marker(int dir, const Marker& marker) {
  return write_file_durably_at(dir, kMarkerFile, as_bytes(encode_marker(marker)), kFileMode);
}

/// The path as it was given, whole: links are not resolved, since where a link leads may change.
std::string absolute_path(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(dir, error);
  if (error) return dir;
  std::string path;
  for (const std::filesystem::path& part : whole) {
    if (part.empty() || part == "." || part == "/") continue;
    path += "/" + part.string();
  }
  return path.empty() ? "/" : path;
}

/// Puts the marker into a directory that is missing or empty.
Result<void> create_store(const std::string& dir, Access access) {
  const std::size_t end = dir.find_last_not_of('/');
  const std::size_t slash = end == std::string::npos ? end : dir.rfind('/', end);
  if (slash != std::string::npos && slash > 0) TRY(make_directories(dir.substr(0, slash)));
  // Images may hold secrets, in files that only some of the container's users may read.
  const bool shared = access == Access::shared;
  if (::mkdir(dir.c_str(), kPrivateDirectoryMode) != 0 && errno != EEXIST)
    return Error::from_errno(dir, errno);
  const UniqueFd fd = TRY(open_file(dir, O_RDONLY | O_DIRECTORY));
  // One process makes the marker. If two did, the first might already have told somebody the id of
  // the store when the second replaces it.
  (void)::flock(fd.get(), LOCK_EX);
  for (const std::string& name : TRY(list_directory(fd.get(), "."))) {
    if (is_marker_temporary(name)) continue;
    // Another process has made it.
    if (::faccessat(fd.get(), kMarkerFile, F_OK, 0) == 0) return {};
    return Error(
        ErrorKind::exists,
        fmt::format(
            "{}: not a store and not empty (contains '{}'); choose another directory with --store",
            dir, name));
  }
  // Somebody else's directory has the mode that they gave it.
  if (::fchmod(fd.get(), shared ? kDirectoryMode : kPrivateDirectoryMode) != 0 &&
      (shared || errno != EPERM))
    return Error::from_errno("set the mode of " + dir, errno);
  return write_marker(fd.get(), {.id = new_id(), .shared = shared});
}

}  // namespace

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::string& dir) {
  auto fd = open_file(dir, O_RDONLY | O_DIRECTORY);
  if (!fd) {
    if (fd.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::not_found, dir + ": no store there");
    return std::move(fd).error().with_context("store");
  }
  auto marker = read_marker(fd->get());
  if (!marker && marker.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::not_found,
                 fmt::format("{}: not an Intact store (it has no {})", dir, kMarkerFile));
  if (!marker)
    return std::move(marker).error().with_context(fmt::format("{}/{}", dir, kMarkerFile));
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::canonical(dir, error);
  std::unique_ptr<Store> store(
      new Store(error ? dir : whole.string(), absolute_path(dir), std::move(*fd)));
  store->id_ = marker->id;
  store->shared_ = marker->shared;
  if (!store->shared_) store->keep_others_out();
  return store;
}

Result<std::unique_ptr<Store>> Store::open_or_create(const std::string& dir, Access access) {
  auto store = open(dir);
  if (!store) {
    if (store.error().kind() != ErrorKind::not_found) return store;
    TRY(create_store(dir, access).context("create a store"));
    store = open(dir);
    if (!store) return store;
  }
  TRY(make_layout((*store)->dir_fd()).context("store " + dir));
  TRY((*store)->update_marker(access).context("store " + dir));
  return store;
}

void Store::keep_others_out() {
  struct stat st;
  if (::fstat(dir_.get(), &st) != 0 || st.st_uid != ::geteuid() || (st.st_mode & S_IRWXO) == 0)
    return;
  if (!is_own_marker(dir_.get())) {
    notices_.push_back(fmt::format(
        "{}: everybody can enter this store, and {} in it belongs to another user, so its mode is "
        "left as it is",
        given_path_, kMarkerFile));
    return;
  }
  if (::fchmod(dir_.get(), kPrivateDirectoryMode) == 0) {
    notices_.push_back(fmt::format(
        "{}: everybody could read this store, including private files of its images; now only its "
        "owner can (to share it, pull with --shared)",
        given_path_));
  } else if (errno != EROFS) {
    notices_.push_back(
        fmt::format("{}: everybody can read this store, including private files of its images: {}",
                    given_path_, Error::from_errno("cannot set its mode", errno).message()));
  }
}

/// Gives the store what its marker lacks: an id, and whether it is shared.
Result<void> Store::update_marker(Access access) {
  const bool share = access == Access::shared && !shared_;
  if (!id_.empty() && !share) return {};
  const FileLock lock = TRY(FileLock::exclusive(dir_.get(), kNamesLock));
  Marker marker = TRY(read_marker(dir_.get()));  // another process may have been faster
  if (marker.id.empty()) marker.id = new_id();
  marker.shared |= share;
  if (share && !is_own_marker(dir_.get()))
    return Error(ErrorKind::untrusted, std::string(kMarkerFile) +
                                           ": belongs to another user, so the directory is not "
                                           "opened to everybody; only its owner can share it");
  if (share && ::fchmod(dir_.get(), kDirectoryMode) != 0)
    return Error::from_errno("set the mode of the directory", errno);
  TRY(write_marker(dir_.get(), marker));
  id_ = marker.id;
  shared_ = marker.shared;
  return {};
}

Result<int> Store::folder(Folder folder) const {
  UniqueFd& fd = folders_[static_cast<std::size_t>(folder)];
  const std::string path = folder_path(folder);
  const std::lock_guard lock(folders_mutex_);
  if (fd) return fd.get();
  fd = TRY(open_directory(dir_.get(), path).context(path_));
  return fd.get();
}

std::string Store::default_path() {
  const char* given = std::getenv("INTACT_STORE");
  if (given && *given) return given;
  if (::geteuid() == 0) return "/var/lib/intact";
  // A relative path is to be ignored, says the XDG base directory specification.
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data && *data == '/') return std::string(data) + "/intact";
  const char* home = std::getenv("HOME");
  if (!home || !*home) {
    const passwd* user = ::getpwuid(::geteuid());
    home = user && user->pw_dir ? user->pw_dir : "/";
  }
  return std::string(home) + "/.local/share/intact";
}

Result<NamedImage> Store::find(const std::string& name) const {
  TRY(check_name(name));
  auto names = folder(Folder::names);
  if (!names && names.error().kind() == ErrorKind::not_found) return no_such_image(name, path_);
  auto fd = open_regular(TRY(std::move(names)), record_file(name));
  if (!fd) {
    if (fd.error().kind() == ErrorKind::not_found) return no_such_image(name, path_);
    return std::move(fd).error().with_context(path_ + "/" + kNames);
  }
  const std::string where = fmt::format("{}/{}/{}", path_, kNames, record_file(name));
  const Bytes content = TRY(read_fd(fd->get(), kRecordLimit).context(where));
  NamedImage image = TRY(parse_record(content).context(where));
  if (image.name != name)
    return Error(ErrorKind::malformed, where + ": the record of '" + image.name + "'");
  return image;
}

Result<std::vector<NamedImage>> Store::list(std::vector<Error>* damaged) const {
  constexpr std::string_view kEnd = ".json";
  std::vector<NamedImage> images;
  auto names = folder(Folder::names);
  if (!names && names.error().kind() == ErrorKind::not_found) return images;
  for (const std::string& file : TRY(list_names(TRY(std::move(names))).context(path_))) {
    // Temporary files and foreign ones are not records.
    if (file.starts_with('.') || !file.ends_with(kEnd)) continue;
    auto image = [&]() -> Result<NamedImage> {
      return find(TRY(decode_name(std::string_view(file).substr(0, file.size() - kEnd.size()))));
    }();
    if (image) {
      images.push_back(std::move(*image));
    } else if (image.error().kind() == ErrorKind::not_found) {
      continue;  // removed since the directory was listed
    } else {
      Error error = std::move(image).error().with_context("names/" + file);
      if (!damaged) return error;
      damaged->push_back(std::move(error));
    }
  }
  return images;
}

Result<bool> Store::while_named(const std::string& name, const Digest& manifest,
                                const std::function<void()>& action) {
  const FileLock lock = TRY(FileLock::exclusive(dir_.get(), kNamesLock).context(path_));
  const auto record = find(name);
  if (!record || record->manifest != manifest) return false;
  action();
  return true;
}

bool Store::has_record(const std::string& name) const {
  const auto names = folder(Folder::names);
  return names && ::faccessat(*names, record_file(name).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<void> Store::remove(const std::string& name) {
  // Older versions took such names, and anyone who can write to the store may have made one.
  if (!is_digest_form(name)) TRY(check_name(name));
  const FileLock lock = TRY(FileLock::exclusive(dir_.get(), kNamesLock).context(path_));
  auto names = folder(Folder::names);
  if (!names && names.error().kind() == ErrorKind::not_found) return no_such_image(name, path_);
  const int directory = TRY(std::move(names));
  const std::string file = record_file(name);
  if (::unlinkat(directory, file.c_str(), 0) != 0) {
    if (errno == ENOENT) return no_such_image(name, path_);
    return Error::from_errno(fmt::format("{}/{}/{}", path_, kNames, file), errno);
  }
  if (::fsync(directory) != 0) return Error::from_errno(path_ + "/" + kNames, errno);
  return {};
}

Result<UniqueFd> Store::open_blob(const Digest& digest) const {
  const Folder where = blob_folder(digest);
  return open_content(TRY(folder(where)), digest.hex()).context(path_ + "/" + folder_path(where));
}

Result<bool> Store::has_blob(const Digest& digest) const {
  auto fd = open_blob(digest);
  if (fd) return true;
  if (fd.error().kind() == ErrorKind::not_found) return false;
  return std::move(fd).error();
}

Result<Bytes> Store::read_blob(const Digest& digest, std::uint64_t limit) const {
  const UniqueFd fd = TRY(open_blob(digest));
  const std::string where = path_ + "/" + kBlobs + "/" + blob_path(digest);
  Bytes bytes = TRY(read_fd(fd.get(), limit).context(where));
  const Digest found = crypto::hash(digest.algorithm(), bytes);
  if (found != digest)
    return Error(ErrorKind::tampered, where + ": damaged, its digest is " + found.to_string());
  return bytes;
}

Result<UniqueFd> Store::open_image(const Digest& image) const {
  const std::string path = std::string(kImages) + "/" + image.hex();
  UniqueFd fd =
      TRY(open_content(TRY(folder(Folder::images)), image.hex()).context(path_ + "/" + kImages));
  // A sparse file can be made so long that hashing it would never end.
  const std::uint64_t size = TRY(file_size(fd.get()).context(path));
  if (size > kMaxImageSize)
    return Error(ErrorKind::tampered,
                 fmt::format("{}/{}: has {} bytes, more than any image", path_, path, size));
  return fd;
}

Result<UniqueFd> Store::open_object(const std::string& payload, bool checked) const {
  if (!is_plain_path(payload))
    return Error(ErrorKind::malformed, "'" + payload + "' is not the path of an object");
  auto objects = folder(Folder::objects);
  if (!objects && objects.error().kind() != ErrorKind::not_found) return std::move(objects).error();
  auto fd = objects ? open_content(*objects, payload)
                    : Error(ErrorKind::not_found, payload + ": no such object");
  for (const ObjectDir& dir : object_dirs_) {
    if (fd || fd.error().kind() != ErrorKind::not_found) break;
    if (checked || dir.origin == DirectoryOrigin::user) fd = open_content(dir.fd.get(), payload);
  }
  return std::move(fd).context(path_ + "/" + kObjects);
}

Result<UniqueFd> Store::open_object(const std::string& payload) const {
  return open_object(payload, true);
}

Result<UniqueFd> Store::open_unchecked_object(const std::string& payload) const {
  return open_object(payload, false);
}

Result<void> Store::add_object_dir(const std::string& path, DirectoryOrigin origin) {
  UniqueFd fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY).context("object directory"));
  // It is recorded with images, so it must not depend on the working directory.
  std::error_code error;
  const std::string whole = std::filesystem::canonical(path, error).string();
  if (error) return Error::from_errno("object directory " + path, error.value());
  const auto known = std::find(object_dir_paths_.begin(), object_dir_paths_.end(), whole);
  if (known == object_dir_paths_.end()) {
    object_dirs_.push_back({std::move(fd), origin});
    object_dir_paths_.push_back(whole);
  } else if (origin == DirectoryOrigin::user) {
    object_dirs_[static_cast<std::size_t>(known - object_dir_paths_.begin())] = {std::move(fd),
                                                                                 origin};
  }
  return {};
}

Result<std::shared_ptr<const TreePack>> Store::pack_of(const Digest& image) const {
  const std::lock_guard lock(pack_mutex_);
  if (pack_ && pack_->first == image) return pack_->second;
  auto trees = folder(Folder::trees);
  if (!trees && trees.error().kind() == ErrorKind::not_found)
    return std::shared_ptr<const TreePack>();
  auto fd = open_regular(TRY(std::move(trees)), image.hex());
  if (!fd && fd.error().kind() != ErrorKind::not_found && fd.error().kind() != ErrorKind::malformed)
    return std::move(fd).error().with_context(path_);
  std::shared_ptr<const TreePack> pack;
  // Without a usable pack readers build the trees themselves; fsck names one that is damaged.
  if (fd) {
    if (auto opened = TreePack::open(std::move(*fd))) pack = std::move(*opened);
  }
  if (pack) pack_.emplace(image, pack);
  return pack;
}

Result<std::shared_ptr<const ByteSource>> Store::tree_of(const Digest& image,
                                                         const Digest& object) const {
  const std::shared_ptr<const TreePack> pack = TRY(pack_of(image));
  if (!pack) return std::shared_ptr<const ByteSource>();
  const auto entry = pack->find(object);
  if (!entry || !*entry) return std::shared_ptr<const ByteSource>();
  return pack->tree(**entry);
}

}  // namespace intact::store
