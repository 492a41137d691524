#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

#include <intact/base/worker_pool.h>
#include <intact/composefs/read.h>
#include <intact/fsverity/verified_file.h>
#include <intact/image/verify.h>
#include <intact/oci/blob_copy.h>

#include "layers.h"
#include "object_sink.h"
#include "progress_meter.h"
#include "source_chain.h"
#include "stored_image.h"

namespace intact::image {
namespace {

/// What is damaged in an object: in any case its first bad block.
struct BadObject {
  std::vector<fsverity::DamagedBlock> blocks;
  std::uint64_t omitted = 0;  ///< further ones
};

/// Damaged objects, found by several threads. Thread-safe.
class BadObjects {
 public:
  explicit BadObjects(std::size_t most) : most_(most) {}

  void add(const std::string& payload, std::vector<fsverity::DamagedBlock> blocks) {
    if (blocks.empty()) return;
    const std::lock_guard lock(mutex_);
    BadObject object{std::move(blocks), 0};
    const std::size_t kept =
        std::clamp<std::size_t>(most_ - std::min(most_, count_), 1, object.blocks.size());
    object.omitted = object.blocks.size() - kept;
    object.blocks.erase(object.blocks.begin() + static_cast<std::ptrdiff_t>(kept),
                        object.blocks.end());
    count_ += kept;
    objects_.emplace(payload, std::move(object));
  }
  /// By payload. Only when no thread adds any more.
  const std::map<std::string, BadObject>& all() const { return objects_; }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::size_t count_ = 0;  ///< blocks in `objects_`
  std::map<std::string, BadObject> objects_;
};

/// Whether a blob could not be copied because of the blob, and not because of this process: its
/// temporary directory, its limits. Only EIO tells of a disk that cannot read what it has.
bool is_damage(const Error& error) {
  return error.kind() != ErrorKind::io || error.sys_errno() == 0 || error.sys_errno() == EIO;
}

/// Scans the image itself. What is damaged in it goes to the report.
Result<void> scan_image(const store::Store& store, const Digest& image, VerifyReport& report) {
  const std::string object = "images/" + image.hex();
  auto fd = store.open_image(image);
  if (!fd) {
    if (fd.error().concerns_caller()) return std::move(fd).error();
    report.damaged.push_back(
        {.path = "", .object = object, .block = 0, .offset = 0, .reason = fd.error().message()});
    return {};
  }
  const std::uint64_t size = TRY(file_size(fd->get()));
  report.bytes += size;
  for (fsverity::DamagedBlock& bad :
       TRY(fsverity::scan_file(std::move(*fd), size, image, TRY(store.tree_of(image, image)))))
    report.damaged.push_back({.path = "",
                              .object = object,
                              .block = bad.block,
                              .offset = bad.offset,
                              .reason = std::move(bad.reason)});
  return {};
}

/// Every bad block of one object; one that cannot be opened or read is bad as a whole.
Result<std::vector<fsverity::DamagedBlock>> scan_object(const store::Store& store,
                                                        const Digest& image,
                                                        const composefs::ObjectReference& object,
                                                        const fsverity::ScanProgress& progress) {
  auto scan = [&]() -> Result<std::vector<fsverity::DamagedBlock>> {
    return fsverity::scan_file(TRY(store.open_object(object.payload)), object.size, object.digest,
                               TRY(store.tree_of(image, object.digest)), progress);
  }();
  if (scan || scan.error().concerns_caller()) return scan;
  return std::vector{
      fsverity::DamagedBlock{.block = 0, .offset = 0, .reason = scan.error().message()}};
}

/// One entry for each path that shows the content: people ask which files were touched, not which
/// objects.
Result<void> name_damaged_files(std::shared_ptr<const ByteSource> image,
                                const std::map<std::string, BadObject>& bad, std::size_t most,
                                VerifyReport& report) {
  const tree::Tree tree = TRY(composefs::read_tree(std::move(image)));
  std::map<std::string, std::vector<std::string>> shown;
  TRY(tree.walk([&](const std::string& path, const tree::Entry& entry) -> Result<void> {
    if (entry.inode->content.empty() && bad.contains(entry.inode->payload))
      shown[entry.inode->payload].push_back(path);
    return {};
  }));
  for (const auto& [payload, object] : bad) {
    for (const std::string& path : shown[payload]) {
      report.omitted += object.omitted;
      bool first = true;
      for (const fsverity::DamagedBlock& block : object.blocks) {
        if (!std::exchange(first, false) && report.damaged.size() >= most) {
          ++report.omitted;
          continue;
        }
        report.damaged.push_back({.path = path,
                                  .object = "objects/" + payload,
                                  .block = block.block,
                                  .offset = block.offset,
                                  .reason = block.reason});
      }
    }
  }
  return {};
}

/// The reason of the error, without the digest that the report gives anyway.
std::string about_layer(const oci::Descriptor& layer, const Error& error) {
  const std::string about = layer.digest.to_string() + ": ";
  const std::string& text = error.message();
  return text.starts_with(about) ? text.substr(about.size()) : text;
}

}  // namespace

Result<VerifyReport> verify_stored(store::Store& store, const std::string& name,
                                   const VerifyOptions& options) {
  const Progress& progress = options.progress;
  const HeldImage held = TRY(hold_image(store, name, options.anchors));
  const Chain& chain = held.chain;
  TRY(check_platform(chain.config, options.platform).context("'" + held.record.name + "'"));
  attach_object_dirs(store, held.record);
  VerifyReport report;
  report.name = held.record.name;
  report.source = held.record.source;
  report.manifest = chain.manifest_digest;
  report.image = chain.image_digest;
  report.signer = chain.signer;
  TRY(scan_image(store, chain.image_digest, report));
  if (!report.ok()) return report;  // its list of files cannot be believed

  const auto image = TRY(open_stored_image(store, chain.image_digest));
  const auto objects = TRY(composefs::list_objects(image));
  {
    tree::Tree tree = TRY(composefs::read_tree(image));
    TRY(tree.walk([&](const std::string&, const tree::Entry&) -> Result<void> {
      ++report.files;
      return {};
    }));
    if (options.tree) options.tree(std::move(tree));
  }
  report.objects = objects.size();
  std::uint64_t total = 0;
  for (const composefs::ObjectReference& object : objects) total += object.size;
  report.bytes += total;

  std::mutex mutex;
  BadObjects bad(options.max_damaged);
  std::uint64_t done = 0;
  const auto advance = [&](std::uint64_t bytes) {
    const std::lock_guard lock(mutex);
    done += bytes;
    if (progress) progress("Checking files", done, total);
  };
  WorkerPool pool;
  for (const composefs::ObjectReference& object : objects) {
    pool.submit([&]() -> Result<void> {
      std::uint64_t scanned = 0;
      auto blocks = TRY(scan_object(store, chain.image_digest, object, [&](std::uint64_t bytes) {
        advance(bytes - std::exchange(scanned, bytes));
      }));
      advance(object.size - scanned);  // what is missing needs no reading
      bad.add(object.payload, std::move(blocks));
      return {};
    });
  }
  TRY(pool.wait());
  if (!bad.all().empty()) TRY(name_damaged_files(image, bad.all(), options.max_damaged, report));
  return report;
}

Result<VerifyReport> verify_source(const oci::Reference& reference, const VerifyOptions& options) {
  const SourceChain source = TRY(check_source_chain(reference, "", options.platform,
                                                    options.anchors, options.limits.decompress));
  const Chain& chain = source.chain;
  VerifyReport report;
  report.manifest = chain.manifest_digest;
  report.image = chain.image_digest;
  report.signer = chain.signer;
  const auto damaged = [&](const std::string& object, std::string reason) {
    report.damaged.push_back(
        {.path = "", .object = object, .block = 0, .offset = 0, .reason = std::move(reason)});
  };
  ProgressMeter meter(options.progress);
  const auto advance = [&](std::uint64_t bytes) -> Result<void> {
    meter.advance(bytes);
    return {};
  };
  // Each layer is read once, into our own copy, and unpacked from there.
  const auto open_checked =
      [&](const oci::Descriptor& layer) -> Result<std::unique_ptr<ByteStream>> {
    auto blob = source.source->open_blob(layer);
    const bool is_there = blob.has_value();
    if (!is_there && blob.error().concerns_caller()) return blob;
    auto copy = is_there ? oci::BlobCopy::read(std::move(*blob), layer, advance)
                         : Result<oci::BlobCopy>(std::move(blob).error());
    if (is_there && !copy && !is_damage(copy.error())) return std::move(copy).error();
    ++report.layers;
    report.bytes += layer.size;
    if (!copy) damaged(object_of_blob(layer.digest), about_layer(layer, copy.error()));
    report.layer_checks.push_back({layer.digest, layer.size, copy.has_value()});
    return std::make_unique<MeteredStream>(TRY(std::move(copy)).open(), meter);
  };
  meter.begin("Reading layers", 2 * stored_bytes(chain.manifest.layers));
  std::vector<std::string> warnings;
  ObjectSink sink(nullptr);
  auto tree =
      apply_layers(chain.manifest, chain.config, open_checked, sink, options.limits, warnings);
  if (!report.ok()) {
    // Nothing above a damaged layer can be unpacked; all the others are checked as well.
    for (std::size_t i = report.layer_checks.size(); i < chain.manifest.layers.size(); ++i)
      (void)open_checked(chain.manifest.layers[i]).has_value();
    return report;
  }
  if (!tree) return std::move(tree).error();
  TRY(tree->walk([&](const std::string&, const tree::Entry& entry) -> Result<void> {
    ++report.files;
    if (!entry.hard_link && !entry.inode->payload.empty()) ++report.objects;
    return {};
  }));
  const ComposefsImage image = TRY(make_composefs(*tree));
  if (image.merkle.digest != chain.image_digest) {
    damaged("images/" + chain.image_digest.hex(),
            "the layers make the image " + image.merkle.digest.to_string() +
                ", but it was sealed as " + chain.image_digest.to_string());
    return report;
  }
  if (options.tree) options.tree(std::move(*tree));
  return report;
}

}  // namespace intact::image
