#pragma once

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/pkcs7.h>
#include <intact/oci/image_destination.h>
#include <intact/oci/image_source.h>
#include <intact/oci/manifest.h>

#include "composefs_annotations.h"

namespace intact::image {

/// The documents and images that an artifact signs the digests of.
struct ArtifactSubject {
  oci::Descriptor manifest;
  Bytes manifest_bytes;
  Bytes config_bytes;
  AlgorithmDigests merged;
};

/// Enters the metadata artifacts of composefs-rs's sealing specification beside an image: one for
/// each algorithm, a manifest that refers to the image with one PKCS#7 signature for each digest,
/// in the form that the kernel takes for fs-verity. Those that are there already and signed with
/// the certificate stay; returns whether that was so for all. invalid_argument: the certificate is
/// not the key's; unsupported: a key of a kind that the kernel does not take. `reader`
/// reads what is there.
Result<bool> put_composefs_artifacts(oci::ImageDestination& destination,
                                     const oci::ImageSource& reader, const ArtifactSubject& subject,
                                     const crypto::SigningKey& key,
                                     const crypto::Certificate& certificate);

}  // namespace intact::image
