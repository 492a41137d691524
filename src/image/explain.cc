#include <intact/image/explain.h>
#include <intact/oci/image_source.h>
#include <intact/store/resolve.h>

#include "local_seals.h"
#include "signatures.h"
#include "stored_evidence.h"

namespace intact::image {

Result<TrustReport> explain_source(const oci::Reference& reference, const std::string& name,
                                   const std::optional<oci::Platform>& platform,
                                   const sign::Anchors& anchors) {
  const auto source = TRY(oci::ImageSource::open(reference));
  const oci::Descriptor found =
      TRY(source->resolve(reference.tag, platform.value_or(oci::Platform::host())));
  const SignatureState signatures = TRY(read_signatures(*source, found));
  return TrustReport{found.digest, name,
                     TRY(sign::explain_trust(signatures.evidence, found.digest, name, anchors))};
}

Result<TrustReport> explain_stored(const store::Store& store, const std::string& name,
                                   const sign::Anchors& anchors) {
  const store::NamedImage record = TRY(store::resolve_image(store, name));
  const auto seal = TRY(find_local_seal(store, record).context("'" + record.name + "'"));
  const auto evidence = TRY(read_stored_evidence(store, record).context("signature"));
  return TrustReport{record.manifest, record.name,
                     TRY(sign::explain_trust(evidence.pieces, record.manifest, record.name,
                                             anchors_with(anchors, seal)))};
}

}  // namespace intact::image
