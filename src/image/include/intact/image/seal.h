#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/progress.h>
#include <intact/base/result.h>
#include <intact/crypto/certificate_chain.h>
#include <intact/image/work.h>
#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>
#include <intact/oci/tree_tar.h>
#include <intact/registry/registry.h>
#include <intact/sign/key.h>
#include <intact/store/store.h>

namespace intact::image {

/// How a signature is stored: as cosign 2 does (a tag), as cosign 3 does (a sigstore bundle that
/// refers to the image), both, or as notation does, with certificates.
enum class SignatureFormat { classic, bundle, both, notation_jws, notation_cose };

/// "classic", "bundle", "both", "notation-jws" or "notation-cose".
Result<SignatureFormat> parse_signature_format(std::string_view text);

struct SealOptions {
  std::string profile = "shared";              ///< see check_profile()
  std::optional<oci::Platform> platform = {};  ///< as PullOptions::platform
  std::string identity;                  ///< HOST/REPO[:TAG] for the signed payload; may be empty
  std::optional<oci::Owner> owner = {};  ///< of all files; only for a rootfs: source
  SignatureFormat signature_format = SignatureFormat::classic;
  /// Of the key, the signer's first: for Notation's formats, and only for those.
  std::optional<crypto::CertificateChain> certificates = {};
  std::optional<std::uint64_t> serial = {};  ///< signed with the image; see sign::Requirement
  /// Also writes the annotations of composefs-rs, where the image has a tree that they can name.
  bool composefs_annotations = true;
  /// The key's: writes composefs-rs's artifacts with PKCS#7 signatures of the key as well.
  std::optional<crypto::Certificate> artifact_certificate = {};
  UnpackLimits limits;
  registry::Options source_registry = {};       ///< for a source in one
  registry::Options destination_registry = {};  ///< for a destination in one
  ProgressOfSteps progress;                     ///< may be empty
};

struct SealReport {
  oci::Reference destination;  ///< with its tag
  Digest manifest;             ///< of the sealed manifest
  store::ImageId image;
  Digest signature;         ///< of a signature manifest
  std::uint64_t files = 0;  ///< names in the image's tree
  std::uint64_t layers = 0;
  bool unchanged = false;  ///< the destination had exactly this, validly signed by the key
  std::vector<std::string> warnings;
};

/// unsupported unless `name` is that of a profile: to report that before asking for a password.
Result<void> check_profile(const std::string& name);

/// Makes a sealed image of `source`: the same layers, a config with the labels of labels.h, a
/// manifest of it, and a signature over that manifest as cosign keeps it. Every digest of the
/// source is checked. The result depends on nothing but the source (the signature itself is
/// random). Without a destination, an oci: source gets the tag TAG-sealed. A different image under
/// the destination's tag: exists. Nothing is visible at the destination unless everything
/// succeeded. The layers are read while `key` is still being opened; should it not open, that is
/// the error, whatever else is wrong.
Result<SealReport> seal(const oci::Reference& source,
                        const std::optional<oci::Reference>& destination,
                        std::future<Result<sign::PrivateKey>> key, const SealOptions& options);

}  // namespace intact::image
