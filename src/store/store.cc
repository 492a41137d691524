#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>
#include <intact/store/name.h>
#include <intact/store/store.h>

#include "layout.h"
#include "record.h"
#include "tree_pack.h"

namespace intact::store {
namespace {

std::string record_path(const std::string& name) {
  return std::string(kNames) + "/" + encode_name(name) + ".json";
}

/// Whether no component is empty, "." or "..": what is collected as garbage is told by comparing
/// paths, so one object must have one path.
bool is_plain_path(const std::string& path) {
  const std::string whole = "/" + path + "/";
  return whole.find("//") == std::string::npos && whole.find("/./") == std::string::npos &&
         whole.find("/../") == std::string::npos && whole.find('\0') == std::string::npos;
}

/// Opens a file whose name is the digest of its content. Whatever else stands in its place, a
/// symlink or a directory, is not that content.
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
  for (const char* name : {kObjects, kImages, kTrees, kBlobs, kNames})
    TRY(make_directory(dir, name, kDirectoryMode));
  for (const char* name : {kStaging, kLeases})
    TRY(make_directory(dir, name, kPrivateDirectoryMode));
  for (const char* name : {"blobs/sha256", "blobs/sha512"})
    TRY(make_directory(dir, name, kDirectoryMode));
  return {};
}

/// Puts the marker into a directory that is missing or empty.
Result<void> create_store(const std::string& dir) {
  const std::size_t end = dir.find_last_not_of('/');
  const std::size_t slash = end == std::string::npos ? end : dir.rfind('/', end);
  if (slash != std::string::npos && slash > 0) TRY(make_directories(dir.substr(0, slash)));
  // Images may hold secrets: what an ordinary user pulls is nobody else's business.
  const mode_t mode = ::geteuid() == 0 ? kDirectoryMode : kPrivateDirectoryMode;
  TRY(make_directory(AT_FDCWD, dir, mode));
  const UniqueFd fd = TRY(open_file(dir, O_RDONLY | O_DIRECTORY));
  for (const std::string& name : TRY(list_directory(fd.get(), "."))) {
    if (is_marker_temporary(name)) continue;
    // Another process has just made it. Its marker comes first, but may be listed last or not yet.
    if (::faccessat(fd.get(), kMarkerFile, F_OK, 0) == 0) return {};
    return Error(
        ErrorKind::exists,
        fmt::format(
            "{} is not a store and not empty (it has '{}'): name another directory with --store",
            dir, name));
  }
  auto written = write_file_durably_at(fd.get(), kMarkerFile, as_bytes(encode_marker()), kFileMode);
  if (!written && ::faccessat(fd.get(), kMarkerFile, F_OK, 0) == 0) return {};
  return written;
}

}  // namespace

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::string& dir) {
  auto fd = open_file(dir, O_RDONLY | O_DIRECTORY);
  if (!fd) {
    if (fd.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::not_found, "there is no store at " + dir);
    return std::move(fd).error().with_context("store");
  }
  auto marker = open_regular(fd->get(), kMarkerFile);
  if (!marker) {
    if (marker.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::not_found,
                   dir + " is not a store of intact: it has no " + kMarkerFile);
    return std::move(marker).error().with_context("store " + dir);
  }
  const std::string where = dir + "/" + kMarkerFile;
  const Bytes content = TRY(read_fd(marker->get(), kRecordLimit).context(where));
  TRY(check_marker(content).context(where));
  auto objects = open_beneath(fd->get(), kObjects, O_RDONLY | O_DIRECTORY);
  // A crash may have left a store that is nothing but its marker.
  if (!objects && objects.error().kind() != ErrorKind::not_found)
    return std::move(objects).error().with_context("store " + dir);
  // One path for one store, wherever it is remembered.
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::canonical(dir, error);
  std::unique_ptr<Store> store(new Store(error ? dir : whole.string(), std::move(*fd)));
  if (objects) store->objects_ = std::move(*objects);
  return store;
}

Result<std::unique_ptr<Store>> Store::open_or_create(const std::string& dir) {
  auto store = open(dir);
  if (!store) {
    if (store.error().kind() != ErrorKind::not_found) return store;
    TRY(create_store(dir).context("create a store"));
    store = open(dir);
    if (!store) return store;
  }
  const int fd = (*store)->dir_fd();
  TRY(make_layout(fd).context("store " + dir));
  (*store)->objects_ = TRY(open_beneath(fd, kObjects, O_RDONLY | O_DIRECTORY));
  return store;
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
  auto fd = open_regular(dir_.get(), record_path(name));
  if (!fd) {
    if (fd.error().kind() == ErrorKind::not_found)
      return Error(ErrorKind::not_found, "there is no image '" + name + "' in the store " + path_);
    return std::move(fd).error().with_context(path_);
  }
  const std::string where = path_ + "/" + record_path(name);
  const Bytes content = TRY(read_fd(fd->get(), kRecordLimit).context(where));
  NamedImage image = TRY(parse_record(content).context(where));
  if (image.name != name)
    return Error(ErrorKind::malformed, where + ": is the record of '" + image.name + "'");
  return image;
}

Result<std::vector<NamedImage>> Store::list(std::vector<Error>* damaged) const {
  constexpr std::string_view kEnd = ".json";
  std::vector<NamedImage> images;
  for (const std::string& file : TRY(list_directory(dir_.get(), kNames).context(path_))) {
    // Temporary files and foreign ones are no records.
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

Result<void> Store::remove(const std::string& name) {
  TRY(check_name(name));
  const FileLock lock = TRY(FileLock::exclusive(dir_.get(), kNamesLock).context(path_));
  const std::string path = record_path(name);
  if (::unlinkat(dir_.get(), path.c_str(), 0) != 0) {
    if (errno == ENOENT)
      return Error(ErrorKind::not_found, "there is no image '" + name + "' in the store " + path_);
    return Error::from_errno(path_ + "/" + path, errno);
  }
  const UniqueFd names = TRY(open_beneath(dir_.get(), kNames, O_RDONLY | O_DIRECTORY));
  if (::fsync(names.get()) != 0) return Error::from_errno(path_ + "/" + kNames, errno);
  return {};
}

Result<UniqueFd> Store::open_blob(const Digest& digest) const {
  return open_content(dir_.get(), std::string(kBlobs) + "/" + blob_path(digest)).context(path_);
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
    return Error(ErrorKind::tampered, where + ": is damaged, its digest is " + found.to_string());
  return bytes;
}

Result<UniqueFd> Store::open_image(const Digest& image) const {
  const std::string path = std::string(kImages) + "/" + image.hex();
  UniqueFd fd = TRY(open_content(dir_.get(), path).context(path_));
  // A sparse file can be made so long that hashing it would never end.
  const std::uint64_t size = TRY(file_size(fd.get()).context(path));
  if (size > kMaxImageSize)
    return Error(ErrorKind::tampered,
                 fmt::format("{}: {}: has {} bytes, more than any image", path_, path, size));
  return fd;
}

Result<UniqueFd> Store::open_object(const std::string& payload) const {
  if (!is_plain_path(payload))
    return Error(ErrorKind::malformed, "'" + payload + "' is not a path of an object");
  Result<UniqueFd> fd = Error(ErrorKind::not_found, payload + ": no such object");
  if (objects_) fd = open_content(objects_.get(), payload);
  for (const UniqueFd& dir : object_dirs_) {
    if (fd || fd.error().kind() != ErrorKind::not_found) break;
    fd = open_content(dir.get(), payload);
  }
  return std::move(fd).context(path_);
}

Result<void> Store::add_object_dir(const std::string& path) {
  UniqueFd fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY).context("object directory"));
  // It is recorded with images, so it has to mean the same wherever it is read.
  std::error_code error;
  const std::string whole = std::filesystem::canonical(path, error).string();
  if (error) return Error::from_errno("object directory " + path, error.value());
  if (std::find(object_dir_paths_.begin(), object_dir_paths_.end(), whole) !=
      object_dir_paths_.end())
    return {};
  object_dirs_.push_back(std::move(fd));
  object_dir_paths_.push_back(whole);
  return {};
}

Result<std::shared_ptr<const TreePack>> Store::pack_of(const Digest& image) const {
  const std::lock_guard lock(pack_mutex_);
  if (pack_ && pack_->first == image) return pack_->second;
  auto fd = open_regular(dir_.get(), std::string(kTrees) + "/" + image.hex());
  if (!fd && fd.error().kind() != ErrorKind::not_found && fd.error().kind() != ErrorKind::malformed)
    return std::move(fd).error().with_context(path_);
  std::shared_ptr<const TreePack> pack;
  // A damaged pack is as good as none: readers then build the trees, and fsck names it.
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
