#pragma once

#include <string>

#include <intact/image/chain.h>
#include <intact/store/lease.h>
#include <intact/store/store.h>

namespace intact::image {

/// What a name stands for, kept from gc as long as this lives.
struct HeldImage {
  store::NamedImage record;
  /// Not held in a store that cannot be written to, or if the image is missing.
  store::Lease lease;
  Chain chain;
};
/// Finds an image (see store::resolve_image()), takes a lease on its image and checks its chain of
/// trust. A name that is replaced meanwhile is found again, so that the three belong together.
Result<HeldImage> hold_image(store::Store& store, const std::string& name,
                             const sign::Anchors& anchors);

/// untrusted unless a trusted signature, or whatever else its chain was accepted for under its
/// present name, allows the image to go by the name in `record`.
Result<void> check_name_allowed(const store::Store& store, const store::NamedImage& record,
                                const Chain& chain, const sign::Anchors& anchors);

/// Attaches the foreign object directories that the record of an image names. One that is gone is
/// passed over: what it held is then missing, and is told as such when it is read.
void attach_object_dirs(store::Store& store, const store::NamedImage& record);

}  // namespace intact::image
