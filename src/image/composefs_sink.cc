#include "composefs_sink.h"

#include <utility>

#include <intact/composefs/scan.h>
#include <intact/fsverity/tree.h>

namespace intact::image {
namespace {

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

ObjectSink::ObjectSink(store::Transaction* destination)
    : destination_(destination), pool_(0, kBatches) {}

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
  if (!destination_) return std::unique_ptr<File>(std::make_unique<LargeFile>());
  return std::unique_ptr<File>(std::make_unique<StoredLargeFile>(TRY(destination_->new_object())));
}

}  // namespace intact::image
