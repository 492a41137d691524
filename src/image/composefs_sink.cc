#include "composefs_sink.h"

#include <algorithm>
#include <utility>

#include <intact/composefs/scan.h>
#include <intact/fsverity/tree.h>

namespace intact::image {
namespace {

const fsverity::Params kSha512{.algorithm = HashAlgorithm::sha512};

void set_object(tree::Inode& inode, const Digest& digest) {
  inode.payload = composefs::object_path(digest);
  inode.digest = digest;
}

}  // namespace

class ObjectSink::SmallFile final : public File {
 public:
  explicit SmallFile(ObjectSink& sink) : sink_(sink) {}

  Result<void> write(ByteSpan bytes) override {
    Bytes& contents = sink_.batch_.contents;
    contents.insert(contents.end(), bytes.begin(), bytes.end());
    return {};
  }

  Result<void> finish(const tree::InodePtr& inode) override {
    Batch& batch = sink_.batch_;
    const ByteSpan content = ByteSpan(batch.contents).subspan(batch.end());
    if (content.size() <= composefs::kInlineLimit) {
      inode->content = as_text(content);
      batch.contents.resize(batch.end());
      return {};
    }
    batch.files.push_back({batch.contents.size(), inode});
    if (batch.end() >= kBatchBytes || batch.files.size() == kBatchFiles) sink_.hand_over();
    return {};
  }

 private:
  ObjectSink& sink_;
};

class ObjectSink::LargeFile final : public File {
 public:
  Result<void> write(ByteSpan bytes) override {
    builder_.update(bytes);
    return {};
  }
  Result<void> finish(const tree::InodePtr& inode) override {
    set_object(*inode, builder_.finish().digest);
    return {};
  }

 private:
  fsverity::TreeBuilder builder_;
};

class ObjectSink::StoredLargeFile final : public File {
 public:
  explicit StoredLargeFile(std::unique_ptr<store::ObjectWriter> writer)
      : writer_(std::move(writer)) {}
  Result<void> write(ByteSpan bytes) override { return writer_->write(bytes); }
  Result<void> finish(const tree::InodePtr& inode) override {
    set_object(*inode, TRY(writer_->finish()).digest);
    return {};
  }

 private:
  std::unique_ptr<store::ObjectWriter> writer_;
};

/// A large file whose other digest is wanted as well.
class ObjectSink::Sha512File final : public File {
 public:
  Sha512File(std::unique_ptr<File> file, Sha512Digests& digests)
      : file_(std::move(file)), digests_(digests) {}
  Result<void> write(ByteSpan bytes) override {
    builder_.update(bytes);
    return file_->write(bytes);
  }
  Result<void> finish(const tree::InodePtr& inode) override {
    digests_.add(*inode, builder_.finish().digest);
    return file_->finish(inode);
  }

 private:
  std::unique_ptr<File> file_;
  Sha512Digests& digests_;
  fsverity::TreeBuilder builder_{kSha512};
};

ObjectSink::ObjectSink(store::Transaction* destination, Sha512Digests* sha512)
    : destination_(destination), sha512_(sha512), pool_(0, kBatches) {}

ObjectSink::~ObjectSink() = default;

void ObjectSink::make_room(std::size_t size) {
  if (!batch_.files.empty() && batch_.end() + size > kBatchBytes) hand_over();
  batch_.contents.resize(batch_.end());  // a file that was not finished is forgotten
  if (batch_.contents.capacity() != 0) return;
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) {
    batch_.contents.reserve(kSmall);
  } else {
    batch_.contents = std::move(spare_.back());
    spare_.pop_back();
  }
}

void ObjectSink::hand_over() {
  pool_.submit([this, batch = std::exchange(batch_, {})]() mutable -> Result<void> {
    TRY(digest(batch));
    batch.contents.clear();
    const std::lock_guard lock(mutex_);
    spare_.push_back(std::move(batch.contents));
    return {};
  });
}

Result<void> ObjectSink::digest(const Batch& batch) const {
  std::vector<ByteSpan> contents;
  contents.reserve(batch.files.size());
  for (std::size_t begin = 0; const Batch::File& file : batch.files) {
    contents.push_back(ByteSpan(batch.contents).subspan(begin, file.end - begin));
    begin = file.end;
  }
  if (destination_) {
    const auto objects = TRY(destination_->add_objects(contents));
    for (std::size_t i = 0; i < objects.size(); ++i)
      set_object(*batch.files[i].inode, objects[i].digest);
  } else {
    const auto trees = fsverity::build_trees(contents);
    for (std::size_t i = 0; i < trees.size(); ++i)
      set_object(*batch.files[i].inode, trees[i].digest);
  }
  if (!sha512_) return {};
  fsverity::TreeBatch batched(kSha512);
  std::vector<const tree::Inode*> in_batch;
  in_batch.reserve(contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const tree::Inode& inode = *batch.files[i].inode;
    if (contents[i].size() > fsverity::TreeBatch::kMaxContent) {
      sha512_->add(inode, fsverity::digest_of(contents[i], kSha512));
      continue;
    }
    std::ranges::copy(contents[i], batched.add(contents[i].size()).begin());
    in_batch.push_back(&inode);
  }
  const auto trees = batched.finish();
  for (std::size_t i = 0; i < trees.size(); ++i) sha512_->add(*in_batch[i], trees[i].digest);
  return {};
}

Result<void> ObjectSink::wait() {
  if (!batch_.files.empty()) hand_over();
  return pool_.wait();
}

Result<std::unique_ptr<oci::ContentSink::File>> ObjectSink::begin(std::uint64_t size) {
  if (size <= kSmall) {
    make_room(static_cast<std::size_t>(size));
    return std::unique_ptr<File>(std::make_unique<SmallFile>(*this));
  }
  std::unique_ptr<File> file;
  if (destination_)
    file = std::make_unique<StoredLargeFile>(TRY(destination_->new_object()));
  else
    file = std::make_unique<LargeFile>();
  if (sha512_) file = std::make_unique<Sha512File>(std::move(file), *sha512_);
  return file;
}

}  // namespace intact::image
