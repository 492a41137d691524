#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/oci/image_source.h>
#include <intact/oci/manifest.h>

namespace intact::oci {

/// What kind of signature of `subject` a manifest holds, for people ("sigstore bundle"); nothing if
/// it is not one. `manifest` may be any bytes. What a listing says about types is not looked at:
/// tools write it wrongly.
std::optional<std::string> foreign_signature_kind(ByteSpan manifest, const Digest& subject);

/// The tag of the list of referrers where a registry has no API for them: "sha256-HEX".
std::string referrers_tag(const Digest& manifest);

/// Signatures of `subject` that are manifests of their own (OCI 1.1 referrers), among the entries
/// of a layout's index and of the list under referrers_tag(), as "KIND DIGEST". Entries that cannot
/// be read are skipped.
std::vector<std::string> find_foreign_signatures(const ImageSource& source, const Index& index,
                                                 const Digest& subject);

}  // namespace intact::oci
