#include <intact/image/explain.h>
#include <intact/oci/image_source.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>
#include <intact/registry/registry.h>
#include <intact/store/resolve.h>

#include "local_seals.h"
#include "pull_memory.h"
#include "signatures.h"
#include "stored_evidence.h"

namespace intact::image {
namespace {

/// What the manifest leads to must not be revoked either.
Result<void> look_for_revoked(ByteSpan manifest, const sign::Anchors& anchors,
                              TrustReport& report) {
  const oci::Manifest parsed = TRY(oci::parse_manifest(manifest, ""));
  std::vector<Digest> parts{parsed.config.digest};
  parts.reserve(parsed.layers.size() + 1);
  for (const oci::Descriptor& layer : parsed.layers) parts.push_back(layer.digest);
  auto checked = sign::check_not_revoked(parts, report.manifest, anchors);
  if (checked) return {};
  if (checked.error().kind() != ErrorKind::untrusted) return checked;
  report.explanation.verdict.reset();
  if (report.explanation.refusal.empty()) report.explanation.refusal = checked.error().message();
  return {};
}

}  // namespace

Result<TrustReport> explain_source(const oci::Reference& reference, const std::string& name,
                                   const std::optional<oci::Platform>& platform,
                                   const sign::Anchors& anchors, const registry::Options& options) {
  const auto source = TRY(registry::open_source(reference, {}, options));
  const auto [found, through] =
      TRY(source->locate(reference.tag, platform.value_or(oci::Platform::host())));
  const SignatureState signatures = TRY(read_signatures(*source, found));
  const sign::Anchors with = anchors_with(anchors, {}, {place_of(reference), through});
  TrustReport report{found.digest, name,
                     TRY(sign::explain_trust(signatures.evidence, found.digest, name, with))};
  TRY(look_for_revoked(TRY(source->read_document(found)), anchors, report));
  return report;
}

Result<TrustReport> explain_stored(const store::Store& store, const std::string& name,
                                   const sign::Anchors& anchors) {
  const store::NamedImage record = TRY(store::resolve_image(store, name));
  const auto seal = TRY(find_local_seal(store, record).context("'" + record.name + "'"));
  const Origin origin = TRY(origin_of(anchors, store, record));
  const auto evidence = TRY(read_stored_evidence(store, record).context("signature"));
  TrustReport report{record.manifest, record.name,
                     TRY(sign::explain_trust(evidence.pieces, record.manifest, record.name,
                                             anchors_with(anchors, seal, origin)))};
  TRY(look_for_revoked(TRY(read_needed(store, record.manifest, oci::kMaxDocument)), anchors,
                       report));
  return report;
}

}  // namespace intact::image
