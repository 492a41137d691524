#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/oci/hashing_stream.h>
#include <intact/oci/layout_writer.h>
#include <intact/oci/media_types.h>

#include "source_kinds.h"

namespace intact::oci {
namespace {

constexpr std::string_view kTempPrefix = ".intact-tmp-";
constexpr std::size_t kPiece = 256 * 1024;

Json empty_index() {
  return Json{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", Json::array()}};
}

/// index.json as it is, checked.
Result<Json> read_index(int directory) {
  TRY(check_layout_header(TRY(read_layout_file(directory, "oci-layout", 64 * 1024))));
  const Bytes bytes = TRY(read_layout_file(directory, "index.json", kMaxDocument));
  TRY(parse_index(bytes, ""));
  return parse_json(bytes, {.bytes = kMaxDocument});
}

std::string annotation_of(const Json& descriptor, std::string_view key) {
  auto annotations = annotations_from_json(descriptor, "annotations");
  return annotations ? (*annotations)[std::string(key)] : std::string();
}

Result<void> make_directory(int at, const std::string& name) {
  if (::mkdirat(at, name.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return Error::from_errno(name, errno);
}

Result<void> sync_directory(int at, const std::string& name) {
  const UniqueFd fd = TRY(open_at(at, name, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return Error::from_errno("fsync of " + name, errno);
  return {};
}

}  // namespace

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

Result<Descriptor> LayoutBlob::finish(std::string_view media_type) {
  const Digest digest = hasher_.finish();
  Descriptor descriptor{std::string(media_type), digest, size_, {}, {}, {}, {}};
  fd_.reset();
  // An intact blob that is there already stays; ours goes with this object.
  if (TRY(writer_->is_present(digest, size_))) return descriptor;
  writer_->staged_.push_back({std::exchange(temp_, {}), digest});
  return descriptor;
}

Result<std::unique_ptr<LayoutWriter>> LayoutWriter::open_or_create(const std::string& directory) {
  const bool created = ::mkdir(directory.c_str(), 0755) == 0;
  if (!created && errno != EEXIST) return Error::from_errno(directory, errno);
  UniqueFd fd = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error::from_errno("lock of " + directory, errno);
    return Error(ErrorKind::busy, directory + ": another process is writing to this layout");
  }
  bool has_layout = false;
  bool has_index = false;
  bool has_other = false;
  for (const std::string& name : TRY(list_names(fd.get()).context(directory))) {
    if (name.starts_with(kTempPrefix)) {
      // Left by a writer that died: the lock says that no other one is alive.
      ::unlinkat(fd.get(), name.c_str(), 0);
    } else if (name == "oci-layout") {
      has_layout = true;
    } else if (name == "index.json") {
      has_index = true;
    } else if (name != "blobs") {
      has_other = true;
    }
  }
  if (!has_layout && (has_index || has_other))
    return Error(ErrorKind::exists, directory + ": is no image layout and not empty");
  // The index is written last: a first writer that failed has left none.
  Json index = has_index ? TRY(read_index(fd.get()).context(directory)) : empty_index();
  return std::unique_ptr<LayoutWriter>(
      new LayoutWriter(directory, std::move(fd), std::move(index), !has_layout, created));
}

LayoutWriter::~LayoutWriter() {
  discard();
  // A directory made for nothing goes again; with anything in it the call fails and harms nothing.
  if (made_directory_) ::rmdir(directory_.c_str());
}

void LayoutWriter::discard() {
  for (const Staged& staged : staged_) ::unlinkat(fd_.get(), staged.temp.c_str(), 0);
  staged_.clear();
}

Result<UniqueFd> LayoutWriter::make_temp(std::string& name) {
  name = std::string(kTempPrefix) + std::to_string(temp_counter_++);
  return open_at(fd_.get(), name, O_RDWR | O_CREAT | O_EXCL, 0644).context(directory_);
}

/// Whether the blob is staged, or there and intact.
Result<bool> LayoutWriter::is_present(const Digest& digest, std::uint64_t size) const {
  const auto same = [&](const Staged& staged) { return staged.digest == digest; };
  if (std::any_of(staged_.begin(), staged_.end(), same)) return true;
  auto fd = open_at(fd_.get(), blob_path(digest), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  if (!fd) return false;
  const auto actual_size = file_size(fd->get());
  if (!actual_size || *actual_size != size) return false;
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

Result<void> LayoutWriter::copy_blob(const ImageSource& source, const Descriptor& descriptor,
                                     const std::function<Result<void>(std::uint64_t)>& progress) {
  const auto advance = [&](std::uint64_t bytes) -> Result<void> {
    return progress ? progress(bytes) : Result<void>();
  };
  if (TRY(is_present(descriptor.digest, descriptor.size))) return advance(descriptor.size);
  std::string temp;
  UniqueFd fd = TRY(make_temp(temp));
  const auto copy = [&]() -> Result<void> {
    const auto file = TRY(source.open_blob_file(descriptor));
    const bool cloned = file && ::ioctl(fd.get(), FICLONE, file->get()) == 0;
    // A clone is hashed where it lies: the original may be changed in the meantime.
    std::unique_ptr<ByteStream> bytes;
    if (cloned) {
      bytes = std::make_unique<FileStream>(TRY(open_at(fd_.get(), temp, O_RDONLY)));
    } else {
      bytes = TRY(source.open_blob(descriptor));
    }
    CheckedStream checked(std::move(bytes), descriptor.digest, descriptor.size);
    Bytes piece(kPiece);
    while (const std::size_t n = TRY(checked.read(piece))) {
      if (!cloned) TRY(write_all(fd.get(), ByteSpan(piece).first(n)).context(directory_));
      TRY(advance(n));
    }
    return {};
  };
  if (auto copied = copy(); !copied) {
    ::unlinkat(fd_.get(), temp.c_str(), 0);
    return copied;
  }
  staged_.push_back({std::move(temp), descriptor.digest});
  return {};
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
  index_["manifests"].push_back(to_json(unnamed));
}

bool LayoutWriter::remove_tag(std::string_view tag) {
  Json& manifests = index_["manifests"];
  const std::size_t before = manifests.size();
  Json kept = Json::array();
  for (Json& json : manifests) {
    if (annotation_of(json, kRefName) != tag) kept.push_back(std::move(json));
  }
  manifests = std::move(kept);
  return manifests.size() != before;
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

Result<void> LayoutWriter::commit() {
  const auto publish = [&]() -> Result<void> {
    TRY(make_directory(fd_.get(), "blobs"));
    TRY(make_directory(fd_.get(), "blobs/sha256"));
    // One sync for all blobs, then the names.
    if (!staged_.empty() && ::syncfs(fd_.get()) != 0) return Error::from_errno("syncfs", errno);
    while (!staged_.empty()) {
      const Staged& staged = staged_.back();
      const std::string algorithm(to_string(staged.digest.algorithm()));
      TRY(make_directory(fd_.get(), "blobs/" + algorithm));
      const std::string path = blob_path(staged.digest);
      if (::renameat(fd_.get(), staged.temp.c_str(), fd_.get(), path.c_str()) != 0)
        return Error::from_errno(path, errno);
      staged_.pop_back();
    }
    for (const char* name : {"blobs/sha256", "blobs/sha512"}) {
      auto synced = sync_directory(fd_.get(), name);
      if (!synced && synced.error().kind() != ErrorKind::not_found) return synced;
    }
    TRY(sync_directory(fd_.get(), "blobs"));
    if (created_)
      TRY(write_file_durably_at(fd_.get(), "oci-layout",
                                as_bytes(R"({"imageLayoutVersion":"1.0.0"})"), 0644));
    TRY(write_file_durably_at(fd_.get(), "index.json", as_bytes(to_text(index_)), 0644));
    created_ = made_directory_ = false;
    return {};
  };
  return publish().context(directory_);
}

}  // namespace intact::oci
