#include "layout_writer.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/oci/hashing_stream.h>
#include <intact/oci/media_types.h>

#include "layout_source.h"
#include "source_kinds.h"

namespace intact::oci {
namespace {

constexpr std::string_view kTempPrefix = ".intact-tmp-";

Json empty_index() {
  return Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", Json::array()}};
}

/// A file at the top of the layout. One behind a symbolic link would be read, but replaced here.
Result<Bytes> read_top_file(int directory, const char* name, std::uint64_t limit) {
  const UniqueFd fd = TRY(open_at(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  TRY(file_size(fd.get()).context(name));
  return read_fd(fd.get(), limit).context(name);
}

/// index.json as it is, checked.
Result<Json> read_index(int directory) {
  TRY(check_layout_header(TRY(read_top_file(directory, "oci-layout", 64 * 1024))));
  const Bytes bytes = TRY(read_top_file(directory, "index.json", kMaxDocument));
  TRY(parse_index(bytes, ""));
  return parse_json(bytes, {.bytes = kMaxDocument});
}

std::string annotation_of(const Json& descriptor, std::string_view key) {
  auto annotations = annotations_from_json(descriptor, "annotations");
  return annotations ? (*annotations)[std::string(key)] : std::string();
}

/// Opens a directory of the layout, and makes it first if need be.
Result<UniqueFd> open_directory(int at, const std::string& name, bool make) {
  if (make && ::mkdirat(at, name.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::from_errno(name, errno);
  auto fd = open_at(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd && (fd.error().sys_errno() == ENOTDIR || fd.error().sys_errno() == ELOOP))
    return Error(ErrorKind::tampered,
                 name + ": not a directory but a link or a file; put a directory in its place");
  return fd;
}

Result<void> sync_directory(const UniqueFd& fd, const char* name) {
  if (fd && ::fsync(fd.get()) != 0)
    return Error::from_errno(std::string("fsync of ") + name, errno);
  return {};
}

}  // namespace

struct LayoutWriter::Root {
  UniqueFd fd;
  UniqueFd parent;   ///< only if the directory was made
  std::string name;  ///< in it
};

LayoutWriter::LayoutWriter(std::string directory, Root root)
    : directory_(std::move(directory)),
      fd_(std::move(root.fd)),
      parent_(std::move(root.parent)),
      name_(std::move(root.name)),
      made_directory_(parent_) {}

LayoutBlob::LayoutBlob(LayoutBlob&& other) noexcept
    : writer_(other.writer_),
      fd_(std::move(other.fd_)),
      temp_(std::exchange(other.temp_, {})),
      hasher_(std::move(other.hasher_)),
      size_(other.size_) {}

LayoutBlob::~LayoutBlob() {
  if (!temp_.empty()) ::unlinkat(writer_->fd_.get(), temp_.c_str(), 0);
}

Result<void> LayoutBlob::write(ByteSpan bytes) {
  hasher_.update(bytes);
  size_ += bytes.size();
  return write_all(fd_.get(), bytes).context(writer_->directory_);
}

Result<std::unique_ptr<ByteStream>> LayoutBlob::read_back() const {
  return std::make_unique<FileStream>(TRY(duplicate_fd(fd_.get())), 0, size_);
}

Result<Descriptor> LayoutBlob::finish(std::string_view media_type) {
  const Digest digest = hasher_.finish();
  Descriptor descriptor{std::string(media_type), digest, size_, {}, {}, {}, {}};
  fd_.reset();
  // An intact blob that is already there stays; ours is removed with this object.
  if (TRY(writer_->is_present(digest, size_))) return descriptor;
  writer_->staged_.push_back({std::exchange(temp_, {}), digest});
  return descriptor;
}

Result<std::unique_ptr<LayoutWriter>> LayoutWriter::open_or_create(const std::string& directory) {
  const auto open_root = [&]() -> Result<Root> {
    Root root;
    const std::string path = directory.substr(0, directory.find_last_not_of('/') + 1);
    const std::size_t slash = path.rfind('/');
    root.name = path.substr(slash + 1);  // npos + 1 is 0
    if (!root.name.empty() && root.name != "." && root.name != "..") {
      const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
      auto fd = open_file(parent, O_PATH | O_DIRECTORY);
      if (fd && ::mkdirat(fd->get(), root.name.c_str(), content_directory_mode()) == 0) {
        root.fd = TRY(open_directory(fd->get(), root.name, false));
        root.parent = std::move(*fd);
        return root;
      }
      if (fd && errno != EEXIST && errno != EROFS && errno != EACCES && errno != EPERM)
        return Error::from_errno(directory, errno);
    }
    root.fd = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
    return root;
  };
  std::unique_ptr<LayoutWriter> writer(new LayoutWriter(directory, TRY(open_root())));
  const int fd = writer->fd_.get();
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error::from_errno("lock of " + directory, errno);
    return Error(ErrorKind::busy, directory + ": another process is writing to this layout");
  }
  bool has_layout = false;
  bool has_index = false;
  bool has_other = false;
  for (const std::string& name : TRY(list_names(fd).context(directory))) {
    if (name.starts_with(kTempPrefix)) {
      // Left by a writer that died: the lock says that no other one is alive.
      ::unlinkat(fd, name.c_str(), 0);
    } else if (name == "oci-layout") {
      has_layout = true;
    } else if (name == "index.json") {
      has_index = true;
    } else if (name != "blobs") {
      has_other = true;
    }
  }
  if (!has_layout && (has_index || has_other))
    return Error(ErrorKind::exists, directory + ": not an image layout and not empty");
  // The index is written last: a first writer that failed has left none.
  writer->index_ = has_index ? TRY(read_index(fd).context(directory)) : empty_index();
  writer->created_ = !has_layout;
  return writer;
}

LayoutWriter::~LayoutWriter() {
  discard();
  // A directory made for nothing is removed; with anything in it the call fails and harms nothing.
  if (made_directory_) ::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

void LayoutWriter::discard() {
  for (const Staged& staged : staged_) ::unlinkat(fd_.get(), staged.temp.c_str(), 0);
  staged_.clear();
}

Result<int> LayoutWriter::blobs_of(HashAlgorithm algorithm, bool make) {
  UniqueFd& fd = algorithm == HashAlgorithm::sha512 ? sha512_ : sha256_;
  if (fd) return fd.get();
  if (!blobs_) blobs_ = TRY(open_directory(fd_.get(), "blobs", make));
  fd = TRY(open_directory(blobs_.get(), std::string(to_string(algorithm)), make).context("blobs"));
  return fd.get();
}

Result<UniqueFd> LayoutWriter::make_temp(std::string& name) {
  name = std::string(kTempPrefix) + std::to_string(temp_counter_++);
  return open_at(fd_.get(), name, O_RDWR | O_CREAT | O_EXCL, 0644).context(directory_);
}

Result<UniqueFd> LayoutWriter::temporary_file() const {
  return unnamed_file(fd_.get()).context("temporary file in " + directory_);
}

bool LayoutWriter::is_staged(const Digest& digest) const {
  const auto same = [&](const Staged& staged) { return staged.digest == digest; };
  return std::any_of(staged_.begin(), staged_.end(), same);
}

std::optional<UniqueFd> LayoutWriter::find_blob(const Digest& digest, std::uint64_t size) {
  const auto directory = blobs_of(digest.algorithm(), false);
  if (!directory) return std::nullopt;
  auto fd = open_at(*directory, digest.hex(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (!fd) return std::nullopt;
  struct stat st;
  if (::fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode) ||
      static_cast<std::uint64_t>(st.st_size) != size)
    return std::nullopt;
  return std::move(*fd);
}

/// Whether the blob is staged, or here and intact.
Result<bool> LayoutWriter::is_present(const Digest& digest, std::uint64_t size) {
  if (is_staged(digest)) return true;
  auto fd = find_blob(digest, size);
  if (!fd) return false;
  FileStream file(std::move(*fd));
  HashingStream hashing(file, digest.algorithm());
  const auto actual = hashing.finish();
  return actual && *actual == digest;
}

Result<LayoutBlob> LayoutWriter::new_blob() {
  std::string temp;
  UniqueFd fd = TRY(make_temp(temp));
  return LayoutBlob(*this, std::move(fd), std::move(temp));
}

Result<Descriptor> LayoutWriter::put_blob(ByteSpan bytes, std::string_view media_type) {
  Descriptor descriptor = describe(media_type, bytes);
  if (TRY(is_present(descriptor.digest, descriptor.size))) return descriptor;
  LayoutBlob blob = TRY(new_blob());
  TRY(blob.write(bytes));
  return blob.finish(media_type);
}

Result<BlobCopy> LayoutWriter::copy_blob(const BlobSource& source, const Descriptor& descriptor,
                                         const BlobProgress& progress) {
  for (const Staged& staged : staged_) {
    if (staged.digest != descriptor.digest) continue;
    // Fetched already, for a layer that an image has twice.
    UniqueFd file = TRY(open_at(fd_.get(), staged.temp, O_RDONLY | O_NOFOLLOW));
    return BlobCopy::read_file(std::move(file), descriptor, progress, fd_.get());
  }
  std::uint64_t told = 0;
  const auto advance = [&](std::uint64_t bytes) -> Result<void> {
    told += bytes;
    return progress ? progress(bytes) : Result<void>();
  };
  if (auto present = find_blob(descriptor.digest, descriptor.size)) {
    auto copy = BlobCopy::read_file(std::move(*present), descriptor, advance, fd_.get());
    if (copy || copy.error().kind() != ErrorKind::tampered) return copy;
  }
  // What a damaged blob was told for is not told again.
  return stage_copy(source, descriptor, [&](std::uint64_t bytes) -> Result<void> {
    const std::uint64_t again = std::min(told, bytes);
    told -= again;
    return progress ? progress(bytes - again) : Result<void>();
  });
}

/// Copies a blob that is not here into a new file, which it stages.
Result<BlobCopy> LayoutWriter::stage_copy(const BlobSource& source, const Descriptor& descriptor,
                                          const BlobProgress& progress) {
  std::string temp;
  UniqueFd fd = TRY(make_temp(temp));
  const auto copy = [&]() -> Result<void> {
    auto file = TRY(source.open_blob_file(descriptor));
    const bool cloned = file && ::ioctl(fd.get(), FICLONE, file->get()) == 0;
    const auto take = [&](ByteStream& bytes) {
      return read_hashed(bytes, descriptor, [&](ByteSpan piece) -> Result<void> {
        if (!cloned) TRY(write_all(fd.get(), piece).context(directory_));
        return progress(piece.size());
      });
    };
    if (!file)
      return read_from_places(source, descriptor, [&](ByteStream& bytes) -> Result<void> {
        if (::ftruncate(fd.get(), 0) != 0 || ::lseek(fd.get(), 0, SEEK_SET) != 0)
          return Error::from_errno(directory_, errno);
        return take(bytes);
      });
    // A clone is hashed, since the original may be changed in the meantime.
    FileStream bytes(cloned ? TRY(duplicate_fd(fd.get())) : std::move(*file));
    return take(bytes);
  };
  if (auto copied = copy(); !copied) {
    ::unlinkat(fd_.get(), temp.c_str(), 0);
    return std::move(copied).error();
  }
  staged_.push_back({std::move(temp), descriptor.digest});
  return BlobCopy::of_own_file(std::move(fd), descriptor.size);
}

Result<std::unique_ptr<ImageSource>> LayoutWriter::reader(const std::set<Digest>& known) const {
  const std::string text = to_text(index_);
  return layout_source(directory_, TRY(parse_index(as_bytes(text), "").context(directory_)),
                       TRY(duplicate_fd(fd_.get())), known);
}

std::vector<Descriptor> LayoutWriter::find_tag(std::string_view tag) const {
  std::vector<Descriptor> found;
  for (const Json& json : index_["manifests"]) {
    if (annotation_of(json, kRefName) != tag) continue;
    // One of an unknown digest algorithm cannot be described; it still has the name.
    if (auto descriptor = descriptor_from_json(json)) found.push_back(std::move(*descriptor));
  }
  return found;
}

Result<void> LayoutWriter::set_tag(const std::string& tag, const Descriptor& descriptor) {
  if (tag.empty() || tag.find('\0') != std::string::npos)
    return Error(ErrorKind::invalid_argument, "an image in a layout needs a name");
  Descriptor named = descriptor;
  named.annotations[std::string(kRefName)] = tag;
  Json& manifests = index_["manifests"];
  Json kept = Json::array();
  bool placed = false;
  for (Json& json : manifests) {
    if (annotation_of(json, kRefName) != tag) {
      kept.push_back(std::move(json));
    } else if (!std::exchange(placed, true)) {
      kept.push_back(to_json(named));
    }
  }
  if (!placed) kept.push_back(to_json(named));
  manifests = std::move(kept);
  return {};
}

void LayoutWriter::add_unnamed(const Descriptor& descriptor) {
  Descriptor unnamed = descriptor;
  unnamed.annotations.erase(std::string(kRefName));
  const std::string digest = descriptor.digest.to_string();
  for (const Json& entry : index_["manifests"])
    if (entry.value("digest", "") == digest && annotation_of(entry, kRefName).empty()) return;
  index_["manifests"].push_back(to_json(unnamed));
}

void LayoutWriter::remove_annotation(std::string_view key, std::string_view value) {
  for (Json& json : index_["manifests"]) {
    const auto annotations = json.find("annotations");
    if (annotations == json.end() || !annotations->is_object()) continue;
    const auto found = annotations->find(key);
    if (found == annotations->end()) continue;
    if (value.empty() || annotation_of(json, key) == value) annotations->erase(found);
    if (annotations->empty()) json.erase("annotations");
  }
}

Result<void> LayoutWriter::publish() {
  TRY(blobs_of(HashAlgorithm::sha256, true));
  // One sync for all blobs, then the names.
  if (!staged_.empty() && ::syncfs(fd_.get()) != 0) return Error::from_errno("syncfs", errno);
  while (!staged_.empty()) {
    const Staged& staged = staged_.back();
    const int directory = TRY(blobs_of(staged.digest.algorithm(), true));
    if (::renameat(fd_.get(), staged.temp.c_str(), directory, staged.digest.hex().c_str()) != 0)
      return Error::from_errno(blob_path(staged.digest), errno);
    staged_.pop_back();
  }
  TRY(sync_directory(sha256_, "blobs/sha256"));
  TRY(sync_directory(sha512_, "blobs/sha512"));
  TRY(sync_directory(blobs_, "blobs"));
  if (created_)
    TRY(write_file_durably_at(fd_.get(), "oci-layout",
                              as_bytes(R"({"imageLayoutVersion":"1.0.0"})"), 0644));
  TRY(write_file_durably_at(fd_.get(), "index.json", as_bytes(to_text(index_)), 0644));
  created_ = made_directory_ = false;
  return {};
}

Result<void> LayoutWriter::commit() {
  return publish().context(directory_);
}

}  // namespace intact::oci
