#include <set>

#include <intact/image/copy.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>

#include "progress_meter.h"
#include "signatures.h"

namespace intact::image {
namespace {

using Kind = oci::MediaType::Kind;

constexpr std::size_t kMaxManifests = 1000;

class Copy {
 public:
  Copy(const oci::ImageSource& source, oci::ImageDestination& destination,
       const CopyOptions& options, CopyReport& report)
      : source_(source),
        destination_(destination),
        options_(options),
        report_(report),
        meter_(options.progress) {}

  /// A manifest or an index and all below it; the destination then has the same.
  Result<void> copy_tree(const oci::Descriptor& top, unsigned depth = 0) {
    if (depth > oci::kMaxIndexDepth)
      return Error(ErrorKind::limit, "indexes nested deeper than the limit of " +
                                         std::to_string(oci::kMaxIndexDepth));
    if (!copied_.insert(top.digest).second) return {};
    if (copied_.size() > kMaxManifests)
      return Error(ErrorKind::limit, "more than " + std::to_string(kMaxManifests) + " manifests");
    const Bytes bytes = TRY(source_.read_document(top));
    if (oci::classify(top.media_type).kind == Kind::index) {
      const oci::Index index = TRY(oci::parse_index(bytes, top.media_type));
      if (!index.unreadable.empty()) return Error(index.unreadable.front().error);
      for (const oci::Descriptor& entry : index.manifests) TRY(copy_tree(entry, depth + 1));
    } else {
      const oci::Manifest manifest = TRY(oci::parse_manifest(bytes, top.media_type));
      for (const oci::Descriptor& layer : manifest.layers) TRY(copy_blob(layer));
      TRY(copy_blob(manifest.config));
    }
    const oci::Descriptor put = TRY(destination_.put_document(bytes, top.media_type));
    if (put.digest != top.digest)
      return Error(ErrorKind::unsupported, top.digest.to_string() +
                                               ": only manifests that are named by SHA-256 can be "
                                               "copied");
    // What belongs to the top is entered with its tag.
    if (depth == 0) return {};
    if (const auto signatures = TRY(source_.find_signatures(top.digest))) {
      TRY(copy_attached(*signatures));
      TRY(destination_.put_signatures(top, *signatures));
    }
    TRY(copy_attestations(top));
    return copy_referrers(top);
  }

  /// Everything that belongs to the image, and its tag.
  Result<void> enter(const oci::Descriptor& image) {
    const auto signatures = TRY(source_.find_signatures(image.digest));
    if (signatures) TRY(copy_attached(*signatures));
    TRY(destination_.put_image(image, signatures));
    TRY(copy_attestations(image));
    return copy_referrers(image);
  }

 private:
  Result<void> copy_blob(const oci::Descriptor& blob) {
    if (!copied_.insert(blob.digest).second) return {};
    ++report_.blobs;
    if (TRY(destination_.take_blob(source_, blob))) {
      ++report_.present;
      return {};
    }
    meter_.begin("Copying", blob.size);
    TRY(destination_.copy_blob(source_, blob, [&](std::uint64_t bytes) -> Result<void> {
      meter_.advance(bytes);
      return {};
    }));
    report_.bytes += blob.size;
    return {};
  }

  Result<void> copy_attached(const oci::Descriptor& manifest) {
    ++report_.attached;
    const std::uint64_t blobs = report_.blobs, present = report_.present;
    TRY(copy_tree(manifest));
    report_.blobs = blobs;
    report_.present = present;
    return {};
  }

  Result<void> copy_attestations(const oci::Descriptor& subject) {
    const auto attestations = TRY(source_.find_attestations(subject.digest));
    if (!attestations) return {};
    TRY(copy_attached(*attestations));
    return destination_.put_attestations(subject, *attestations);
  }

  Result<void> copy_referrers(const oci::Descriptor& subject) {
    for (const oci::Descriptor& referrer : TRY(source_.referrers(subject.digest))) {
      if (!options_.referrers && !may_hold_signatures(referrer)) continue;
      TRY(copy_attached(referrer));
      TRY(destination_.put_referrer(subject, referrer));
    }
    return {};
  }

  const oci::ImageSource& source_;
  oci::ImageDestination& destination_;
  const CopyOptions& options_;
  CopyReport& report_;
  ProgressMeter meter_;
  std::set<Digest> copied_;
};

}  // namespace

Result<CopyReport> copy_image(const oci::Reference& source, const oci::Reference& destination,
                              const CopyOptions& options) {
  const auto from =
      TRY(registry::open_source(source, options.limits.decompress, options.source_registry));
  const oci::Descriptor image =
      options.all
          ? TRY(from->find(source.tag))
          : TRY(from->resolve(source.tag, options.platform.value_or(oci::Platform::host())));
  CopyReport report{.destination = destination, .manifest = image.digest};
  std::string& tag = report.destination.tag;
  if (tag.empty()) tag = source.tag;
  // In archives of docker the tag is a whole name.
  if (tag.empty() || tag.find_first_of("/:") != std::string::npos) tag = "latest";
  const auto to = TRY(registry::open_destination(report.destination, options.destination_registry));
  Copy copy(*from, *to, options, report);
  TRY(copy.copy_tree(image));
  TRY(copy.enter(image));
  TRY(to->commit());
  return report;
}

}  // namespace intact::image
