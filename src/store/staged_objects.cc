// The objects of a transaction: the part of Staging that stages each of them once.
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "layout.h"
#include "staging.h"

namespace intact::store {
namespace {

unsigned first_byte(const Digest& digest) {
  return std::to_integer<unsigned>(digest.bytes()[0]);
}

/// Hashes a file that may be the object; nothing if it is not.
std::optional<fsverity::MerkleTree> measure(const UniqueFd& fd, const Digest& digest,
                                            std::uint64_t size) {
  const auto found = file_size(fd.get());
  if (!found || *found != size) return std::nullopt;
  auto tree = fsverity::build_tree(fd.get());
  if (!tree || tree->digest != digest) return std::nullopt;
  return std::move(*tree);
}

}  // namespace

bool Staging::claim_object(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  return objects_.try_emplace(digest).second;
}

void Staging::abandon_object(const Digest& digest) {
  drop_file(object_path(digest));
  const std::lock_guard lock(mutex_);
  objects_.erase(digest);
}

Result<void> Staging::complete_object(const fsverity::MerkleTree& tree, const std::string& file,
                                      bool linked) {
  const std::uint64_t offset = tree.blocks.empty() ? 0 : TRY(pack_->append(tree.blocks));
  const std::lock_guard lock(mutex_);
  objects_[tree.digest] = Object{.complete = true,
                                 .file = file,
                                 .size = tree.data_size,
                                 .tree_offset = offset,
                                 .tree_length = tree.blocks.size(),
                                 .linked = linked};
  return {};
}

Result<void> Staging::prepare_object_dir(const Digest& digest) {
  const unsigned first = first_byte(digest);
  const std::lock_guard lock(object_dirs_mutex_);
  if (object_dirs_.test(first)) return {};
  const std::string name = object_directory(digest);
  TRY(make_directory(dir_.get(), name, kDirectoryMode)
          .context(store_.path() + "/" + kStaging + "/" + name_));
  object_dirs_.set(first);
  const int objects = TRY(store_.folder(Folder::objects));
  store_lacks_.set(first, ::faccessat(objects, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0);
  return {};
}

bool Staging::link_object(const Digest& digest) {
  {
    const std::lock_guard lock(object_dirs_mutex_);
    if (store_lacks_.test(first_byte(digest))) return false;
  }
  // Links are refused across users, beyond a count and by some file systems; then the content is
  // written again.
  const std::string path = object_path(digest);
  const auto objects = store_.folder(Folder::objects);
  if (!objects) return false;
  const auto from = locate(*objects, path);
  const auto to = locate(dir_.get(), path);
  return from && to &&
         ::linkat(from->directory, from->name.c_str(), to->directory, to->name.c_str(), 0) == 0;
}

Result<bool> Staging::reuse_claimed(const Digest& digest, std::uint64_t size) {
  if (digest.algorithm() != HashAlgorithm::sha256) return false;
  TRY(prepare_object_dir(digest));
  const std::string path = object_path(digest);
  // Linked first, then hashed: the file that was hashed cannot be removed or replaced.
  if (link_object(digest)) {
    if (auto fd = open_regular(dir_.get(), path)) {
      if (const auto tree = measure(*fd, digest, size)) {
        seal_file(std::move(*fd), path);
        TRY(complete_object(*tree, path, true));
        return true;
      }
    }
    drop_file(path);
    return false;
  }
  for (std::size_t i = 0; i < store_.object_dirs().size(); ++i) {
    const auto fd = open_regular(store_.object_dir_fd(i), path);
    if (!fd) continue;
    if (const auto tree = measure(*fd, digest, size)) {
      TRY(complete_object(*tree, "", false));
      return true;
    }
  }
  return false;
}

Result<bool> Staging::reuse_object(const Digest& digest, std::uint64_t size) {
  if (!claim_object(digest)) return true;
  auto reused = reuse_claimed(digest, size);
  if (!reused || !*reused) abandon_object(digest);
  return reused;
}

Result<void> Staging::write_claimed(const fsverity::MerkleTree& tree, ByteSpan content) {
  if (TRY(reuse_claimed(tree.digest, content.size()))) return {};
  NewFile file = TRY(create_file(object_path(tree.digest)));
  TRY(write_all(file.fd.get(), content).context("write an object"));
  seal_file(std::move(file.fd), file.name);
  return complete_object(tree, file.name, false);
}

Result<void> Staging::add_content(const fsverity::MerkleTree& tree, ByteSpan content) {
  if (!claim_object(tree.digest)) return {};
  auto written = write_claimed(tree, content);
  if (!written) abandon_object(tree.digest);
  return written;
}

Result<void> Staging::move_claimed(const fsverity::MerkleTree& tree, UniqueFd fd,
                                   const std::string& file) {
  if (TRY(reuse_claimed(tree.digest, tree.data_size))) {
    drop_file(file);
    return {};
  }
  const std::string path = object_path(tree.digest);
  const Place place = TRY(locate(dir_.get(), path));
  if (::renameat(dir_.get(), file.c_str(), place.directory, place.name.c_str()) != 0)
    return Error::from_errno("rename an object", errno);
  seal_file(std::move(fd), path);
  return complete_object(tree, path, false);
}

Result<void> Staging::add_file(const fsverity::MerkleTree& tree, UniqueFd fd,
                               const std::string& file) {
  if (!claim_object(tree.digest)) {
    drop_file(file);
    return {};
  }
  auto moved = move_claimed(tree, std::move(fd), file);
  if (!moved) abandon_object(tree.digest);
  return moved;
}

}  // namespace intact::store
