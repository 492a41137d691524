#include "object_sink.h"

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
  SmallFile(ObjectSink& sink, std::uint64_t size) : sink_(sink) {
    content_.reserve(static_cast<std::size_t>(size));
  }

  Result<void> write(ByteSpan bytes) override {
    content_.insert(content_.end(), bytes.begin(), bytes.end());
    return {};
  }

  Result<void> finish(const tree::InodePtr& inode) override {
    if (content_.size() <= composefs::kInlineLimit) {
      inode->content = as_text(content_);
      return {};
    }
    sink_.add_small({std::move(content_), inode});
    return {};
  }

 private:
  ObjectSink& sink_;
  Bytes content_;
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

void ObjectSink::add_small(SmallContent file) {
  batch_bytes_ += file.content.size();
  batch_.push_back(std::move(file));
  if (batch_bytes_ >= kBatchBytes || batch_.size() == kBatchFiles) hand_over();
}

void ObjectSink::hand_over() {
  pool_.submit([destination = destination_, batch = std::exchange(batch_, {})]() -> Result<void> {
    std::vector<ByteSpan> contents;
    contents.reserve(batch.size());
    for (const SmallContent& file : batch) contents.push_back(file.content);
    if (destination) {
      const auto objects = TRY(destination->add_objects(contents));
      for (std::size_t i = 0; i < batch.size(); ++i) set_object(*batch[i].inode, objects[i].digest);
    } else {
      const auto trees = fsverity::build_trees(contents);
      for (std::size_t i = 0; i < batch.size(); ++i) set_object(*batch[i].inode, trees[i].digest);
    }
    return {};
  });
  batch_bytes_ = 0;
}

Result<void> ObjectSink::wait() {
  if (!batch_.empty()) hand_over();
  return pool_.wait();
}

Result<std::unique_ptr<oci::ContentSink::File>> ObjectSink::begin(std::uint64_t size) {
  if (size <= kSmall) return std::unique_ptr<File>(std::make_unique<SmallFile>(*this, size));
  if (!destination_) return std::unique_ptr<File>(std::make_unique<LargeFile>());
  return std::unique_ptr<File>(std::make_unique<StoredLargeFile>(TRY(destination_->new_object())));
}

}  // namespace intact::image
