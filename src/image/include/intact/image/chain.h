#pragma once

#include <optional>
#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/oci/config.h>
#include <intact/oci/manifest.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

using store::ImageId;

/// The checked links from a trusted key to an image: signature, manifest, config,
/// labels. Each link was hashed and compared before the next was read from it.
struct Chain {
  Digest manifest_digest;
  oci::Manifest manifest;
  oci::ImageConfig config;
  ImageId image;                        ///< from the config's labels
  std::optional<sign::Verdict> signer;  ///< absent only with Anchors::insecure_unsigned
};

/// Checks the chain of a stored image with nothing but its name record, the blobs and the anchors,
/// which lie outside the store. untrusted: no anchor fits, or the name record leads to something
/// else than what was signed; tampered: a blob fails its digest.
Result<Chain> check_chain(const store::Store& store, const store::NamedImage& record,
                          const sign::Anchors& anchors);

}  // namespace intact::image
