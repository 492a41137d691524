#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include <intact/base/file.h>
#include <intact/base/worker_pool.h>
#include <intact/composefs/read.h>
#include <intact/fsverity/verified_file.h>

#include "composefs_profile.h"

namespace intact::image {
namespace {

/// What is damaged in an object: in any case its first bad block.
struct BadObject {
  std::vector<Damage> blocks;
  std::uint64_t omitted = 0;  ///< further ones
};

/// Damaged objects, found by several threads. Thread-safe.
class BadObjects {
 public:
  explicit BadObjects(std::size_t most) : most_(most) {}

  void add(const std::string& payload, std::vector<Damage> blocks) {
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

/// Scans the image itself. What is damaged in it goes to the report.
Result<void> scan_image(const store::Store& store, const Digest& image, VerifyReport& report) {
  const std::string object = "images/" + image.hex();
  auto fd = store.open_image(image);
  if (!fd) {
    if (fd.error().concerns_caller()) return std::move(fd).error();
    report.damaged.push_back(
        {.object = object, .range = DamagedRange(), .reason = fd.error().message()});
    return {};
  }
  const std::uint64_t size = TRY(file_size(fd->get()));
  report.bytes += size;
  for (Damage& bad :
       TRY(fsverity::scan_file(std::move(*fd), size, image, TRY(store.tree_of(image, image))))) {
    bad.object = object;
    report.damaged.push_back(std::move(bad));
  }
  return {};
}

/// Every bad block of one object; one that cannot be opened or read is bad as a whole.
Result<std::vector<Damage>> scan_object(const store::Store& store, const Digest& image,
                                        const composefs::ObjectReference& object,
                                        const Progress& progress) {
  auto scan = [&]() -> Result<std::vector<Damage>> {
    return fsverity::scan_file(TRY(store.open_object(object.payload)), object.size, object.digest,
                               TRY(store.tree_of(image, object.digest)), progress);
  }();
  if (scan || scan.error().concerns_caller()) return scan;
  return std::vector{Damage{.range = DamagedRange(), .reason = scan.error().message()}};
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
      for (const Damage& block : object.blocks) {
        if (!std::exchange(first, false) && report.damaged.size() >= most) {
          ++report.omitted;
          continue;
        }
        Damage& damage = report.damaged.emplace_back(block);
        damage.object = "objects/" + payload;
        damage.path = path;
      }
    }
  }
  return {};
}

}  // namespace

Result<void> verify_composefs(const store::Store& store, const Digest& digest,
                              const VerifyOptions& options, VerifyReport& report) {
  TRY(scan_image(store, digest, report));
  if (!report.ok()) return {};  // its list of files cannot be believed

  const auto image = TRY(open_composefs_image(store, digest));
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
    if (options.progress) options.progress("Checking files", done, total);
  };
  WorkerPool pool;
  for (const composefs::ObjectReference& object : objects) {
    pool.submit([&]() -> Result<void> {
      std::uint64_t scanned = 0;
      auto blocks = TRY(scan_object(store, digest, object, [&](std::uint64_t bytes, std::uint64_t) {
        advance(bytes - std::exchange(scanned, bytes));
      }));
      advance(object.size - scanned);  // what is missing needs no reading
      bad.add(object.payload, std::move(blocks));
      return {};
    });
  }
  TRY(pool.wait());
  if (!bad.all().empty()) TRY(name_damaged_files(image, bad.all(), options.max_damaged, report));
  return {};
}

}  // namespace intact::image
