#pragma once

#include <optional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/image/chain.h>
#include <intact/sign/local_seal.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

// An image that its publisher has not sealed does not say what it unpacks to. The pull that
// verified and unpacked it makes a local seal, which is among the evidence of the image in the
// store. It binds manifest, image and name, counts only if a key of this machine signed it (of the
// user, or root's), and only if the memory of pulls knows it. An image that nobody trusted has
// signed gets one as well, sealed or not: it says why the image is trusted.

/// Whether an image that is accepted for this reason needs one.
bool needs_local_seal(bool is_sealed, sign::Basis basis);

/// A local seal that is checked to be this machine's and for this name and manifest.
struct StoredSeal {
  Digest document;
  sign::LocalSeal seal;

  ImageId image() const { return {seal.format, seal.image}; }
};
/// That of an image in the store; nothing if its record names none. untrusted: made by another
/// machine or for something else; tampered: its document is missing or damaged.
Result<std::optional<StoredSeal>> find_local_seal(const store::Store& store,
                                                  const store::NamedImage& record);
/// The digest of its document, as the record has it.
std::optional<Digest> local_seal_of(const store::NamedImage& record);

/// The anchors with what the seal says of why the image is trusted, and where it comes from.
sign::Anchors anchors_with(const sign::Anchors& anchors, const std::optional<StoredSeal>& seal,
                           const Origin& origin);

struct NewSeal {
  Digest digest;
  Bytes document;
};
/// Signs a seal with the key of this machine, which is made at first use.
Result<NewSeal> seal_locally(const sign::LocalSeal& seal);
/// Makes it the record's only one.
void put_local_seal(store::NamedImage& record, const Digest& document);

}  // namespace intact::image
