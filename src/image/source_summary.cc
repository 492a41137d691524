#include <intact/image/source_summary.h>
#include <intact/oci/image_source.h>
#include <intact/oci/media_types.h>

namespace intact::image {
namespace {

/// The manifests of an index, or the layers of an image.
Result<void> add_content(const oci::ImageSource& source, SourceSummary& summary) {
  const oci::Descriptor& top = summary.top;
  const Bytes bytes = TRY(source.read_document(top));
  if (oci::classify(top.media_type).kind == oci::MediaType::Kind::index) {
    summary.is_index = true;
    summary.manifests = TRY(oci::parse_index(bytes, top.media_type)).manifests;
    return {};
  }
  oci::Manifest manifest = TRY(oci::parse_manifest(bytes, top.media_type));
  const bool is_image = oci::check_is_image(manifest).has_value();
  summary.config = std::move(manifest.config);
  summary.layers = std::move(manifest.layers);
  if (!is_image) return {};
  summary.platform = TRY(oci::parse_config(TRY(source.read_document(*summary.config)))).platform;
  return {};
}

}  // namespace

Result<SourceSummary> summarize_source(const oci::Reference& reference,
                                       const registry::Options& options) {
  const auto source = TRY(registry::open_source(reference, {}, options));
  SourceSummary summary{.reference = reference, .top = TRY(source->find(reference.tag))};
  summary.platform = summary.top.platform;
  TRY(add_content(*source, summary));
  const Digest& digest = summary.top.digest;
  if (auto found = TRY(source->find_signatures(digest)))
    summary.signatures.push_back(std::move(*found));
  if (auto found = TRY(source->find_attestations(digest)))
    summary.signatures.push_back(std::move(*found));
  summary.referrers = TRY(source->referrers(digest));
  summary.tags = source->names();
  return summary;
}

Result<Bytes> read_top_document(const oci::Reference& reference, const registry::Options& options) {
  const auto source = TRY(registry::open_source(reference, {}, options));
  return source->read_document(TRY(source->find(reference.tag)));
}

}  // namespace intact::image
