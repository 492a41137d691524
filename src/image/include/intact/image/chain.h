#pragma once

#include <optional>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/oci/config.h>
#include <intact/oci/manifest.h>
#include <intact/sign/local_seal.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

using store::ImageId;

/// Who says which image a manifest unpacks to.
enum class SealKind {
  none,       ///< nobody: an image in a layout that its publisher has not sealed
  publisher,  ///< its labels or an annotation of its manifest, which the publisher vouches for
  local,      ///< the local seal that this machine made when it pulled the image
};
std::string_view to_string(SealKind kind);  ///< "none", "publisher", "local"

/// How this machine came by a manifest. It can only narrow what is accepted.
struct Origin {
  std::string place{};            ///< see sign::Anchors::place
  std::vector<Digest> through{};  ///< see sign::Anchors::through

  bool operator==(const Origin&) const = default;
};

/// The checked links from a trusted key to an image: signature, manifest, config, and then the
/// labels or the local seal. Each link was hashed and compared before the next was read from it.
struct Chain {
  Digest manifest_digest;
  oci::Manifest manifest;
  oci::ImageConfig config;
  ImageId image;                        ///< from the config's labels or the local seal
  std::optional<sign::Verdict> signer;  ///< absent if `basis` is not a signature
  sign::Basis basis = sign::Basis::none;
  std::optional<sign::LocalSeal> local_seal = {};
  Origin origin = {};

  SealKind seal_kind() const { return local_seal ? SealKind::local : SealKind::publisher; }
};

/// Checks the chain of a stored image with nothing but its name record, the blobs and the anchors,
/// which lie outside the store. untrusted: no anchor fits, something of the chain is revoked, the
/// name record leads to something else than what was signed, or its local seal is missing, of
/// another machine or not the latest; tampered: a blob fails its digest.
Result<Chain> check_chain(const store::Store& store, const store::NamedImage& record,
                          const sign::Anchors& anchors);

}  // namespace intact::image
