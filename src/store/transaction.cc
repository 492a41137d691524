#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/crypto/hash.h>
#include <intact/fsverity/tree.h>
#include <intact/store/transaction.h>

#include "staging.h"

namespace intact::store {
namespace {

// Content up to this many bytes is kept in memory until its digest is known: if the store has it,
// no file is made at all, else one write makes it.
constexpr std::size_t kBuffer = 256 * 1024;
// Content of this many bytes is on its way to the disk while what follows is unpacked. For less it
// would cost more than it saves.
constexpr std::uint64_t kWriteBackEarly = 1024 * 1024;

// Pieces in which a blob is hashed beside its being read and written.
constexpr std::size_t kBlobPiece = 1024 * 1024;
// For less, waking a thread costs more than hashing.
constexpr std::size_t kHashBeside = 512 * 1024;

}  // namespace

ObjectWriter::ObjectWriter(Staging& staging)
    : staging_(staging), tree_(std::make_unique<fsverity::TreeBuilder>(fsverity::Params{}, true)) {}

ObjectWriter::~ObjectWriter() {
  staging_.drop_file(file_);
}

Result<void> ObjectWriter::flush() {
  if (!fd_) {
    Staging::NewFile file = TRY(staging_.new_file());
    fd_ = std::move(file.fd);
    file_ = std::move(file.name);
  }
  TRY(write_all(fd_.get(), buffer_).context("write an object"));
  buffer_.clear();
  return {};
}

Result<void> ObjectWriter::write(ByteSpan bytes) {
  tree_->update(bytes);
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBuffer) {
    TRY(flush());
    if (bytes.size() > kBuffer) return write_all(fd_.get(), bytes).context("write an object");
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return {};
}

Result<StagedObject> ObjectWriter::finish() {
  const fsverity::MerkleTree tree = tree_->finish();
  const StagedObject object{tree.digest, size_};
  if (fd_) {
    TRY(flush());
    if (size_ >= kWriteBackEarly) staging_.begin_write_back(fd_);
    TRY(staging_.add_file(tree, std::move(fd_), std::exchange(file_, {})));
  } else {
    TRY(staging_.add_content(tree, buffer_));
  }
  return object;
}

struct BlobWriter::Hashing {
  explicit Hashing(HashAlgorithm algorithm) : hasher(algorithm) {}

  crypto::Hasher hasher;
  std::array<Bytes, 2> pieces;  ///< one is filled while the other is hashed
  std::size_t filled = 0;       ///< index of the one that is lent
  std::optional<WorkerPool> beside;
};

BlobWriter::BlobWriter(Staging& staging, UniqueFd fd, std::string file)
    : staging_(staging), fd_(std::move(fd)), file_(std::move(file)) {}

BlobWriter::~BlobWriter() {
  staging_.drop_file(file_);
}

Result<void> BlobWriter::write(ByteSpan bytes) {
  if (hashing_->beside) TRY(hashing_->beside->wait());
  hashing_->hasher.update(bytes);
  size_ += bytes.size();
  return write_all(fd_.get(), bytes).context("write a blob");
}

MutableByteSpan BlobWriter::space() {
  Bytes& piece = hashing_->pieces[hashing_->filled];
  piece.resize(kBlobPiece);
  return piece;
}

Result<void> BlobWriter::take(std::size_t size) {
  const ByteSpan bytes = ByteSpan(hashing_->pieces[hashing_->filled]).first(size);
  if (!hashing_->beside && size < kHashBeside) return write(bytes);
  if (!hashing_->beside) hashing_->beside.emplace(1);
  // The piece before this one is lent next.
  TRY(hashing_->beside->wait());
  hashing_->beside->submit([this, bytes]() -> Result<void> {
    hashing_->hasher.update(bytes);
    return {};
  });
  hashing_->filled ^= 1;
  size_ += size;
  return write_all(fd_.get(), bytes).context("write a blob");
}

Result<void> BlobWriter::finish(const Digest& expected) {
  if (hashing_->beside) TRY(hashing_->beside->wait());
  const Digest found = hashing_->hasher.finish();
  if (found != expected) {
    reject();
    return Error(ErrorKind::tampered,
                 "blob " + expected.to_string() + ": its content is " + found.to_string());
  }
  staging_.begin_write_back(fd_);
  fd_.reset();
  staging_.add_blob(expected, std::exchange(file_, {}));
  return {};
}

void BlobWriter::reject() {
  if (part_) staging_.drop_part(*part_);
}

Transaction::Transaction(std::unique_ptr<Staging> staging) : staging_(std::move(staging)) {}
Transaction::~Transaction() = default;

Result<std::unique_ptr<Transaction>> Transaction::begin(Store& store) {
  auto staging = Staging::create(store);
  if (!staging) return std::move(staging).error().with_context("store " + store.path());
  return std::unique_ptr<Transaction>(new Transaction(std::move(*staging)));
}

Result<std::unique_ptr<ObjectWriter>> Transaction::new_object() {
  return std::unique_ptr<ObjectWriter>(new ObjectWriter(*staging_));
}

Result<StagedObject> Transaction::add_object(ByteSpan content) {
  return TRY(add_objects({&content, 1})).front();
}

Result<std::vector<StagedObject>> Transaction::add_objects(std::span<const ByteSpan> contents) {
  std::vector<StagedObject> objects;
  objects.reserve(contents.size());
  for (std::size_t i = 0; const fsverity::MerkleTree& tree : fsverity::build_trees(contents)) {
    TRY(staging_->add_content(tree, contents[i++]));
    objects.push_back({tree.digest, tree.data_size});
  }
  return objects;
}

Result<bool> Transaction::reuse_object(const Digest& digest, std::uint64_t size) {
  return staging_->reuse_object(digest, size);
}

Result<void> Transaction::add_blob(const Digest& digest, ByteSpan content) {
  auto writer = TRY(new_blob(digest.algorithm()));
  TRY(writer->write(content));
  return writer->finish(digest);
}

Result<std::unique_ptr<BlobWriter>> Transaction::new_blob(HashAlgorithm algorithm) {
  Staging::NewFile file = TRY(staging_->new_file());
  std::unique_ptr<BlobWriter> writer(
      new BlobWriter(*staging_, std::move(file.fd), std::move(file.name)));
  writer->hashing_ = std::make_unique<BlobWriter::Hashing>(algorithm);
  return writer;
}

Result<std::unique_ptr<BlobWriter>> Transaction::continue_blob(const Digest& digest,
                                                               std::uint64_t size) {
  auto writer = TRY(new_blob(digest.algorithm()));
  if (const auto part = staging_->open_part(digest)) {
    while (writer->size() < size) {
      const MutableByteSpan space = writer->space();
      const auto most =
          static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), size - writer->size()));
      const auto n = pread_up_to(part->get(), writer->size(), space.first(most));
      if (!n || *n == 0) break;  // the source has the rest
      TRY(writer->take(*n));
    }
  }
  staging_->keep_part(digest, writer->file_);
  writer->part_ = digest;
  return writer;
}

Result<bool> Transaction::reuse_blob(const Digest& digest, std::uint64_t size) {
  return staging_->reuse_blob(digest, size);
}

Result<UniqueFd> Transaction::open_blob(const Digest& digest) const {
  return staging_->open_blob(digest);
}

Result<void> Transaction::drop_blob(const Digest& digest) {
  return staging_->drop_blob(digest);
}

Result<void> Transaction::add_image(ByteSpan image, const fsverity::MerkleTree& tree) {
  return staging_->add_image(image, tree);
}

Result<void> Transaction::commit(const NamedImage& image, bool replace,
                                 const std::vector<Digest>& objects, const NamingHooks& hooks) {
  return staging_->commit(image, replace, objects, hooks);
}

}  // namespace intact::store
