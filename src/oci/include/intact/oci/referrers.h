#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/image_source.h>

namespace intact::oci {

/// Manifests that may refer to one manifest: signatures, attestations, SBOMs.
inline constexpr std::size_t kMaxReferrers = 256;

/// The tag of the list of referrers where a registry has no API for them: "sha256-HEX", cut to
/// what a tag may contain.
std::string referrers_tag(const Digest& manifest);

/// `listed` as it would be described by who has read it, if `bytes` is a manifest or an index whose
/// `subject` is `subject`: artifact_type is its artifactType, else its config's media type or that
/// of its first layer if the config is empty; the annotations are its own. Nothing otherwise; the
/// bytes may be any.
std::optional<Descriptor> referrer_from(const Descriptor& listed, ByteSpan bytes,
                                        const Digest& subject);

/// Those of `listed` that exist in `source` and refer to `subject`, each once, in their order, as
/// referrer_from() describes them: what a listing says is a claim. Entries that are missing or not
/// what their digest says are left out, so that a bad one hides no good one. limit: more than
/// kMaxReferrers refer to it; other errors of reading are passed on, never taken for "none".
Result<std::vector<Descriptor>> confirm_referrers(const ImageSource& source,
                                                  const std::vector<Descriptor>& listed,
                                                  const Digest& subject);

}  // namespace intact::oci
