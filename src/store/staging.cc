#include "staging.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/crypto/hash.h>

#include "layout.h"
#include "verity.h"

namespace intact::store {
namespace {

Result<Digest> hash_file(int fd, HashAlgorithm algorithm) {
  crypto::Hasher hasher(algorithm);
  Bytes buffer(256 * 1024);
  for (std::uint64_t offset = 0;;) {
    const std::size_t n = TRY(pread_up_to(fd, offset, buffer));
    if (n == 0) return hasher.finish();
    hasher.update(ByteSpan(buffer).first(n));
    offset += n;
  }
}

constexpr std::time_t kPartLife = 7 * 24 * 3600;  // seconds
constexpr std::size_t kMaxParts = 256;            // more layers than an image has

/// Removes parts that nobody has come back for: of an image that was pulled by a tag which has
/// moved since, the blobs are not asked for again.
void drop_old_parts(int staging) {
  const auto names = list_names(staging);
  if (!names) return;
  std::vector<std::pair<std::time_t, std::string>> parts;
  for (const std::string& name : *names) {
    struct stat st;
    if (is_part_name(name) && ::fstatat(staging, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0)
      parts.emplace_back(st.st_mtime, name);
  }
  std::ranges::sort(parts);
  const std::time_t limit = std::time(nullptr) - kPartLife;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].first < limit || parts.size() - i > kMaxParts)
      ::unlinkat(staging, parts[i].second.c_str(), 0);
}

}  // namespace

Staging::Staging(Store& store, std::string name)
    : store_(store), name_(std::move(name)), owner_(::getpid()) {}

Result<std::unique_ptr<Staging>> Staging::create(Store& store) {
  // Garbage collection must not see the directory before its lock is taken.
  const FileLock no_gc = TRY(FileLock::shared(store.dir_fd(), kGcLock));
  const int parent = TRY(store.folder(Folder::staging));
  std::string name = random_name("");
  if (::mkdirat(parent, name.c_str(), kPrivateDirectoryMode) != 0)
    return Error::from_errno(store.path() + "/" + kStaging + "/" + name, errno);
  std::unique_ptr<Staging> staging(new Staging(store, std::move(name)));
  staging->dir_ = TRY(open_directory(parent, staging->name_));
  staging->lock_ = TRY(open_at(staging->fd(), kStagingLock, O_RDWR | O_CREAT | O_EXCL, kFileMode));
  // Waits for nobody but a check that is just looking whether we live.
  TRY(lock_exclusive(staging->lock_.get()));
  struct stat st;
  if (::fstat(staging->lock_.get(), &st) != 0) return Error::from_errno(staging->name_, errno);
  staging->needs_chmod_ = (st.st_mode & 07777) != kFileMode;
  NewFile pack = TRY(staging->new_file());
  staging->pack_file_ = std::move(pack.name);
  staging->pack_.emplace(std::move(pack.fd));
  return staging;
}

Staging::~Staging() {
  // A process forked meanwhile has a copy of this object, but the transaction is not its own.
  if (::getpid() != owner_) return;
  if (const auto parent = store_.folder(Folder::staging))
    (void)remove_staging_directory(*parent, name_);
}

// Not just a number: that could be the name of a directory of objects.
std::string Staging::next_name() {
  return "file" + std::to_string(next_file_++);
}

Result<Staging::NewFile> Staging::new_file() {
  return create_file(next_name());
}

Result<Staging::NewFile> Staging::create_file(std::string name) {
  NewFile file;
  const std::string where = store_.path() + "/" + kStaging + "/" + name_;
  const Place place = TRY(locate(dir_.get(), name).context(where));
  file.fd = TRY(
      open_at(place.directory, place.name, O_WRONLY | O_CREAT | O_EXCL, kFileMode).context(where));
  file.name = std::move(name);
  if (needs_chmod_ && ::fchmod(file.fd.get(), kFileMode) != 0)
    return Error::from_errno("chmod", errno);
  return file;
}

void Staging::drop_file(const std::string& name) {
  if (name.empty()) return;
  if (const auto place = locate(dir_.get(), name))
    ::unlinkat(place->directory, place->name.c_str(), 0);
}

void Staging::seal_file(UniqueFd fd, const std::string& name) {
  fd.reset();
  if (!may_enable_verity_) return;
  const auto place = locate(dir_.get(), name);
  if (place && !enable_verity(place->directory, place->name.c_str())) may_enable_verity_ = false;
}

void Staging::begin_write_back(const UniqueFd& fd) {
  (void)::sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
}

bool Staging::has_blob(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return blobs_.contains(digest);
}

void Staging::add_blob(const Digest& digest, std::string file) {
  const std::lock_guard lock(mutex_);
  if (!blobs_.try_emplace(digest, file).second) drop_file(file);
}

Result<bool> Staging::reuse_blob(const Digest& digest, std::uint64_t size) {
  if (has_blob(digest)) return true;
  const int blobs = TRY(store_.folder(blob_folder(digest)));
  const std::string file = next_name();
  if (::linkat(blobs, digest.hex().c_str(), dir_.get(), file.c_str(), 0) != 0) return false;
  if (auto fd = open_regular(dir_.get(), file)) {
    const auto found_size = file_size(fd->get());
    if (found_size && *found_size == size) {
      const auto found = hash_file(fd->get(), digest.algorithm());
      if (found && *found == digest) {
        add_blob(digest, file);
        return true;
      }
    }
  }
  drop_file(file);
  return false;
}

Result<UniqueFd> Staging::open_blob(const Digest& digest) const {
  std::string file;
  {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end())
      return Error(ErrorKind::not_found, "blob " + digest.to_string() + " has not been staged");
    file = found->second;
  }
  return open_regular(dir_.get(), file);
}

Result<void> Staging::drop_blob(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = blobs_.find(digest);
  if (found == blobs_.end())
    return Error(ErrorKind::not_found, "blob " + digest.to_string() + " has not been staged");
  drop_file(found->second);
  blobs_.erase(found);
  return {};
}

Result<UniqueFd> Staging::open_part(const Digest& digest) const {
  return open_regular(TRY(store_.folder(Folder::staging)), part_name(digest));
}

void Staging::keep_part(const Digest& digest, const std::string& file) {
  const auto parent = store_.folder(Folder::staging);
  const auto from = locate(dir_.get(), file);
  if (!parent || !from) return;
  const std::string name = part_name(digest);
  ::unlinkat(*parent, name.c_str(), 0);
  drop_old_parts(*parent);
  if (::linkat(from->directory, from->name.c_str(), *parent, name.c_str(), 0) != 0) return;
  const std::lock_guard lock(mutex_);
  parts_.push_back(digest);
}

void Staging::drop_part(const Digest& digest) {
  const auto parent = store_.folder(Folder::staging);
  if (parent) ::unlinkat(*parent, part_name(digest).c_str(), 0);
}

void Staging::drop_parts() {
  std::vector<Digest> parts;
  {
    const std::lock_guard lock(mutex_);
    parts.swap(parts_);
  }
  for (const Digest& digest : parts) drop_part(digest);
}

Result<void> Staging::add_image(ByteSpan image, const fsverity::MerkleTree& tree) {
  if (!image_file_.empty())
    return Error(ErrorKind::invalid_argument, "a transaction takes one image");
  if (tree.data_size != image.size() || tree.blocks.size() != fsverity::tree_size(tree.data_size))
    return Error(ErrorKind::invalid_argument, "the hash tree does not belong to the image");
  NewFile file = TRY(new_file());
  TRY(write_all(file.fd.get(), image).context("write the image"));
  seal_file(std::move(file.fd), file.name);
  image_ = PackEntry{tree.digest, tree.data_size, 0, tree.blocks.size()};
  if (!tree.blocks.empty()) image_->offset = TRY(pack_->append(tree.blocks));
  image_file_ = std::move(file.name);
  return {};
}

}  // namespace intact::store
