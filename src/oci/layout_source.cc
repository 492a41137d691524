#include "layout_source.h"

#include <map>
#include <mutex>
#include <optional>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/oci/media_types.h>
#include <intact/oci/referrers.h>
#include <intact/oci/spool.h>

#include "archive_files.h"
#include "resolve.h"
#include "source_kinds.h"

namespace intact::oci {
namespace {

constexpr std::uint64_t kMaxHeader = 64 * 1024;
// Where bundles are looked for: manifests are small, and a layout for one machine has few blobs.
constexpr std::size_t kMaxScannedBlobs = 4096;
constexpr std::uint64_t kMaxScannedSize = 64 * 1024;  // bytes
constexpr std::size_t kMaxKept = 16 * 1024 * 1024;    // bytes, of all that the search has read

/// A blob that has another size than its descriptor says need not be hashed.
Error wrong_size(const Descriptor& descriptor, std::uint64_t size) {
  return Error(ErrorKind::tampered, descriptor.digest.to_string() + ": the blob has " +
                                        std::to_string(size) + " bytes instead of " +
                                        std::to_string(descriptor.size));
}

Error missing_blob(const std::string& where, const Descriptor& descriptor) {
  return Error(ErrorKind::not_found,
               where + ": blob " + descriptor.digest.to_string() + " is missing");
}

class DirectoryLayout final : public LayoutSource {
 public:
  DirectoryLayout(std::string where, Index index, UniqueFd directory, std::set<Digest> known)
      : LayoutSource(std::move(where), std::move(index)),
        directory_(std::move(directory)),
        known_(std::move(known)) {}

  Result<std::unique_ptr<ByteStream>> open_blob(const Descriptor& descriptor) const override {
    if (auto bytes = small_blob(descriptor.digest)) {
      if (bytes->size() != descriptor.size) return wrong_size(descriptor, bytes->size());
      return std::unique_ptr<ByteStream>(std::make_unique<MemoryStream>(*std::move(bytes)));
    }
    return std::unique_ptr<ByteStream>(std::make_unique<FileStream>(TRY(open(descriptor))));
  }

  Result<std::optional<UniqueFd>> open_blob_file(const Descriptor& descriptor) const override {
    if (small_blob(descriptor.digest)) return std::optional<UniqueFd>();
    return std::optional(TRY(open(descriptor)));
  }

 protected:
  /// cosign 3 leaves bundles in a layout without an entry in its index, and finds them by looking
  /// at every blob. This happens once, and what was read is kept: no blob is opened a second time.
  Result<std::vector<Descriptor>> unlisted() const override {
    const std::lock_guard lock(scan_mutex_);
    if (!unlisted_) unlisted_ = TRY(scan());
    return *unlisted_;
  }
  bool is_known(const Digest& blob) const override { return known_.contains(blob); }

 private:
  Result<std::vector<Descriptor>> scan() const {
    std::vector<Descriptor> found;
    const auto blobs = open_at(directory_.get(), "blobs/sha256", O_RDONLY | O_DIRECTORY);
    if (!blobs) return found;
    const std::vector<std::string> names = TRY(list_names(blobs->get()).context(where()));
    if (names.size() > kMaxScannedBlobs) return found;
    for (const std::string& name : names) {
      const auto digest = Digest::parse("sha256:" + name);
      struct stat st;
      if (!digest || is_known(*digest)) continue;
      if (::fstatat(blobs->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (!S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) > kMaxScannedSize)
        continue;
      auto bytes = kept(*digest);
      if (!bytes) {
        const auto file = open_regular_at(blobs->get(), name);
        auto read =
            file ? read_fd(file->get(), kMaxScannedSize) : Result<Bytes>(Error(file.error()));
        if (!read) continue;
        bytes = *std::move(read);
        keep_small(*digest, *bytes);
      }
      // Most blobs are not documents at all; they need not be hashed.
      if (bytes->empty() || bytes->front() != std::byte{'{'}) continue;
      found.push_back(
          {.media_type = std::string(kManifestType), .digest = *digest, .size = bytes->size()});
    }
    return found;
  }

  /// What the search has read of a blob; nobody has hashed it.
  std::optional<Bytes> small_blob(const Digest& digest) const {
    const std::lock_guard lock(small_mutex_);
    const auto known = small_.find(digest);
    if (known == small_.end()) return std::nullopt;
    return known->second;
  }
  void keep_small(const Digest& digest, const Bytes& bytes) const {
    const std::lock_guard lock(small_mutex_);
    if (bytes.size() > kMaxKept - small_bytes_ || !small_.emplace(digest, bytes).second) return;
    small_bytes_ += bytes.size();
  }

  Result<UniqueFd> open(const Descriptor& descriptor) const {
    auto fd = open_regular_at(directory_.get(), blob_path(descriptor.digest));
    if (!fd && fd.error().kind() == ErrorKind::not_found) return missing_blob(where(), descriptor);
    if (!fd) return std::move(fd).context(where());
    const std::uint64_t size = TRY(file_size(fd->get()).context(descriptor.digest.to_string()));
    if (size != descriptor.size) return wrong_size(descriptor, size);
    return fd;
  }

  UniqueFd directory_;
  std::set<Digest> known_;
  mutable std::mutex scan_mutex_;  // never taken while the other is held
  mutable std::optional<std::vector<Descriptor>> unlisted_;
  mutable std::mutex small_mutex_;
  mutable std::map<Digest, Bytes> small_;
  mutable std::size_t small_bytes_ = 0;
};

class ArchiveLayout final : public LayoutSource {
 public:
  ArchiveLayout(std::string where, Index index, ArchiveFiles files)
      : LayoutSource(std::move(where), std::move(index)), files_(std::move(files)) {}

  Result<std::unique_ptr<ByteStream>> open_blob(const Descriptor& descriptor) const override {
    const auto range = files_.find(blob_path(descriptor.digest));
    if (!range) return missing_blob(where(), descriptor);
    if (range->size != descriptor.size) return wrong_size(descriptor, range->size);
    return files_.open(*range);
  }

 private:
  ArchiveFiles files_;
};

Error no_layout(const std::string& where) {
  return Error(ErrorKind::not_found, where + ": not an image layout (it has no file oci-layout)");
}

}  // namespace

Result<Descriptor> LayoutSource::find(const std::string& tag) const {
  const Platform any = Platform::host();
  return Resolver(*this, index_, any).find(tag).context(where_);
}

Result<Located> LayoutSource::locate(const std::string& tag, const Platform& platform) const {
  return Resolver(*this, index_, platform).locate(tag).context(where_);
}

Result<std::optional<Descriptor>> LayoutSource::find_tag(const std::string& tag) const {
  std::optional<Descriptor> found;
  for (const Descriptor& descriptor : index_.manifests) {
    if (descriptor.annotation(kRefName) != tag) continue;
    if (found && found->digest != descriptor.digest)
      return Error(ErrorKind::malformed, where_ + ": has several manifests named '" + tag + "'");
    found = descriptor;
  }
  return found;
}

Result<std::optional<Descriptor>> LayoutSource::find_attestations(const Digest& manifest) const {
  return find_tag(attestation_tag(manifest));
}

Result<std::optional<Descriptor>> LayoutSource::find_signatures(const Digest& manifest) const {
  auto found = TRY(find_tag(signature_tag(manifest)));
  if (found) return found;
  // cosign takes the first descriptor of each kind, so only the first image has signatures here.
  for (const Descriptor& descriptor : index_.manifests) {
    if (descriptor.annotation(kCosignKind) != kCosignKindImage) continue;
    if (descriptor.digest != manifest) return found;
    for (const Descriptor& other : index_.manifests) {
      if (other.annotation(kCosignKind) == kCosignKindSignatures) return std::optional(other);
    }
    return found;
  }
  return found;
}

Result<std::vector<Descriptor>> LayoutSource::referrers(const Digest& manifest) const {
  std::vector<Descriptor> candidates;
  for (const Descriptor& descriptor : index_.manifests) {
    if (!is_known(descriptor.digest)) candidates.push_back(descriptor);
    if (descriptor.annotation(kRefName) != referrers_tag(manifest)) continue;
    const Bytes bytes = TRY(read_document(descriptor).context(where_ + ": list of referrers"));
    const Index list = TRY(parse_index(bytes, "").context(where_ + ": list of referrers"));
    candidates.insert(candidates.end(), list.manifests.begin(), list.manifests.end());
  }
  const std::vector<Descriptor> more = TRY(unlisted());
  candidates.insert(candidates.end(), more.begin(), more.end());
  return confirm_referrers(*this, candidates, manifest).context(where_);
}

std::vector<std::string> LayoutSource::names() const {
  std::set<std::string> names;
  for (const Descriptor& descriptor : index_.manifests) {
    const std::string name = descriptor.annotation(kRefName);
    if (!name.empty() && !is_signature(descriptor)) names.insert(name);
  }
  return {names.begin(), names.end()};
}

Result<void> check_layout_header(ByteSpan bytes) {
  const Json json = TRY(parse_json(bytes).context("oci-layout"));
  const std::string version = TRY(require_string(json, "imageLayoutVersion").context("oci-layout"));
  if (version != "1.0.0")
    return Error(ErrorKind::unsupported,
                 "oci-layout: version '" + version.substr(0, 100) + "' is not supported");
  return {};
}

std::string blob_path(const Digest& digest) {
  return "blobs/" + std::string(to_string(digest.algorithm())) + "/" + digest.hex();
}

Result<Bytes> read_layout_file(int directory, const std::string& name, std::uint64_t limit) {
  const UniqueFd fd = TRY(open_regular_at(directory, name));
  return read_fd(fd.get(), limit).context(name);
}

std::unique_ptr<ImageSource> layout_source(std::string where, Index index, UniqueFd directory,
                                           std::set<Digest> known) {
  return std::make_unique<DirectoryLayout>(std::move(where), std::move(index), std::move(directory),
                                           std::move(known));
}

Result<std::unique_ptr<ImageSource>> open_layout_directory(const std::string& directory) {
  UniqueFd fd = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
  auto header = read_layout_file(fd.get(), "oci-layout", kMaxHeader);
  if (!header && header.error().kind() == ErrorKind::not_found) return no_layout(directory);
  TRY(check_layout_header(TRY(std::move(header).context(directory))).context(directory));
  const Bytes bytes =
      TRY(read_layout_file(fd.get(), "index.json", kMaxDocument).context(directory));
  Index index = TRY(parse_index(bytes, "").context(directory + "/index.json"));
  return layout_source(directory, std::move(index), std::move(fd));
}

Result<std::unique_ptr<ImageSource>> open_layout_archive(const std::string& file,
                                                         const DecompressLimits& limits) {
  const std::string where = source_name(file);
  ArchiveFiles files = TRY(ArchiveFiles::open(file, limits));
  const auto header = files.find("oci-layout");
  const auto index_range = files.find("index.json");
  if (!header || !index_range) return no_layout(where);
  TRY(check_layout_header(TRY(files.read(*header, kMaxHeader).context(where))).context(where));
  const Bytes bytes = TRY(files.read(*index_range, kMaxDocument).context(where + ": index.json"));
  Index index = TRY(parse_index(bytes, "").context(where + ": index.json"));
  return std::unique_ptr<ImageSource>(
      std::make_unique<ArchiveLayout>(where, std::move(index), std::move(files)));
}

}  // namespace intact::oci
