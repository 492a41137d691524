#include "layer_fetch.h"

#include <algorithm>

#include <intact/oci/blob_copy.h>

namespace intact::image {
namespace {

Error stopped() {
  return Error(ErrorKind::io, "another layer could not be read");
}

/// A stream that reports its bytes as they are unpacked.
class UnpackedStream final : public ByteStream {
 public:
  UnpackedStream(std::unique_ptr<ByteStream> lower, LayerProgress& progress)
      : lower_(std::move(lower)), progress_(progress) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    const std::size_t n = TRY(lower_->read(out));
    progress_.unpacked(n);
    return n;
  }

 private:
  std::unique_ptr<ByteStream> lower_;
  LayerProgress& progress_;
};

}  // namespace

void LayerProgress::read(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  read_ += bytes;
  tell();
}

void LayerProgress::take_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  read_ -= std::min(bytes, read_);
}

void LayerProgress::unpacked(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  unpacked_ = std::min(unpacked_ + bytes, total_);  // some are unpacked again
  if (read_ >= total_) tell();
}

void LayerProgress::tell() {
  if (!progress_) return;
  if (read_ < total_) {
    progress_("Reading layers", read_, total_);
  } else {
    progress_("Unpacking", unpacked_, total_);
  }
}

LayerFetch::LayerFetch(const oci::BlobSource& source, const std::vector<oci::Descriptor>& layers,
                       store::Transaction& transaction, LayerProgress& progress)
    : source_(source),
      transaction_(transaction),
      progress_(progress),
      pool_(std::max(source.streams(), 1U), layers.size() + 1) {
  for (const oci::Descriptor& layer : layers) {
    {
      const std::lock_guard lock(mutex_);
      if (!done_.emplace(layer.digest, false).second) {
        progress_.read(layer.size);  // with the first of this digest
        continue;
      }
    }
    pool_.submit([this, layer]() -> Result<void> {
      run(layer);
      return {};
    });
  }
}

LayerFetch::~LayerFetch() {
  stop_ = true;
}

void LayerFetch::run(const oci::Descriptor& layer) {
  auto staged =
      stop_ ? Result<void>(stopped()) : stage(layer).context("layer " + layer.digest.to_string());
  const std::lock_guard lock(mutex_);
  // Those that were stopped by the first end after it.
  if (!staged && !error_) error_ = std::move(staged).error();
  if (error_) stop_ = true;
  done_[layer.digest] = true;
  changed_.notify_all();
}

Result<void> LayerFetch::stage(const oci::Descriptor& layer) {
  if (TRY(transaction_.reuse_blob(layer.digest, layer.size))) {
    progress_.read(layer.size);
    const std::lock_guard lock(mutex_);
    reused_.insert(layer.digest);
    return {};
  }
  const bool is_far = source_.streams() > 1;
  for (bool may_be_ours = true;;) {
    const auto writer = is_far && may_be_ours
                            ? TRY(transaction_.continue_blob(layer.digest, layer.size))
                            : TRY(transaction_.new_blob(layer.digest.algorithm()));
    const std::uint64_t had = writer->size();
    progress_.read(had);
    // All of it may have been here. That no place has it is final.
    std::unique_ptr<ByteStream> stored;
    if (had == 0) {
      stored = TRY(source_.open_blob(layer));
    } else if (had < layer.size) {
      stored = TRY(source_.continue_blob(layer, had));
    }
    bool failed = false;
    auto done = stored ? fill(layer, *stored, *writer, failed) : writer->finish(layer.digest);
    if (done) return done;
    const bool is_wrong = done.error().kind() == ErrorKind::tampered;
    if (is_wrong) writer->reject();
    progress_.take_back(writer->size());
    if (!(is_wrong || failed) || stop_) return done;
    // What was wrong may have been here before.
    if (is_wrong && had != 0 && may_be_ours) {
      may_be_ours = false;
      continue;
    }
    const oci::BlobSource::Blame blame = source_.blame(layer);
    if (blame.has_others) continue;
    if (done.error().message().find(blame.place) != std::string::npos) return done;
    return std::move(done).error().with_context(blame.place);
  }
}

Result<void> LayerFetch::fill(const oci::Descriptor& layer, ByteStream& stored,
                              store::BlobWriter& writer, bool& failed) {
  for (;;) {
    const std::uint64_t left = layer.size - writer.size();
    if (stop_) return stopped();
    // What arrives before an error is kept.
    const MutableByteSpan space = writer.space();
    std::size_t n = 0;
    Result<std::size_t> read = std::size_t{0};
    do {
      read = stored.read(space.subspan(n));
      if (read) n += *read;
    } while (read && *read != 0 && n != space.size());
    if (n > left || (n == 0 && left != 0 && read))
      return Error(ErrorKind::tampered,
                   "the blob is " + std::string(n == 0 ? "shorter" : "longer") + " than the " +
                       std::to_string(layer.size) + " bytes it should have");
    TRY(writer.take(n));
    progress_.read(n);
    failed = !read;
    if (!read) return std::move(read).error();
    if (n == 0) return writer.finish(layer.digest);
  }
}

std::optional<Error> LayerFetch::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

Result<std::unique_ptr<ByteStream>> LayerFetch::open(const oci::Descriptor& layer) {
  bool is_reused = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_.at(layer.digest) || error_; });
    if (error_) return Error(*error_);
    is_reused = reused_.contains(layer.digest);
  }
  UniqueFd staged = TRY(transaction_.open_blob(layer.digest));
  // Others may be able to write to what is a link to a blob of the store.
  std::unique_ptr<ByteStream> bytes =
      is_reused ? TRY(oci::BlobCopy::read_file(std::move(staged), layer)).open()
                : std::make_unique<FileStream>(std::move(staged));
  return std::make_unique<UnpackedStream>(std::move(bytes), progress_);
}

}  // namespace intact::image
