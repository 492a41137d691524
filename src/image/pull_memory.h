#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/image/chain.h>
#include <intact/oci/reference.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

// Which image was pulled under which name is remembered outside the store, in a state directory. A
// name record is only the store's word: without this memory, anyone who can write to the store, or
// put another in its place, could offer another validly signed image, or an older one, under the
// name. A store is known by the path that it was given by, however spelled, and by the id in its
// marker; both must be what they were. Nothing is forgotten except by a pull of the same name or by
// its removal.

/// HOST/REPO:TAG of an image in a registry; otherwise empty.
std::string place_of(const oci::Reference& reference);

/// What was pulled under a name.
struct PulledImage {
  // Not explicit: most images have no local seal.
  PulledImage(const Digest& of, std::optional<Digest> sealed = {}, Origin from = {})
      : manifest(of), local_seal(sealed), origin(std::move(from)) {}

  Digest manifest;
  /// Of the document of its local seal (local_seals.h), for an image that needs one. No other seal
  /// is accepted then, so that an older one cannot be put back.
  std::optional<Digest> local_seal;
  Origin origin;
};

/// The directory of the memory that this user writes: $INTACT_STATE, or else /var/lib/intact-state
/// for root and $XDG_STATE_HOME/intact (~/.local/state/intact) for other users. invalid_argument,
/// here and in what follows, where the environment does not name one: skipping the memory then
/// would accept whatever the store has.
Result<std::string> state_directory();
/// The directories whose memory counts for this user: the own one, and root's unless $INTACT_STATE
/// is set.
Result<std::vector<std::string>> state_directories();

/// untrusted when another manifest was pulled under the name into this store, or into another store
/// at its path. The store may have lost its record of the name, or its id, to somebody who wants
/// another image there.
Result<void> check_replaces_nothing(const sign::Anchors& anchors, const store::Store& store,
                                    const std::string& name, const Digest& manifest);

/// To be called before a name is replaced: from now on `image` is accepted under it, beside what
/// was pulled before, so that a pull that ends between the store and this memory leaves a name that
/// passes. Does nothing for a name that is new, unless it has a local seal, which is accepted only
/// where it is remembered. Unless `replace`, check_replaces_nothing() comes first. Like the next,
/// it is called while no other pull can change the name (store::NamingHooks).
Result<void> announce_pull(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const PulledImage& image, bool replace);

/// Remembers that `image`, and nothing else, was pulled as `name` into this store. What older
/// versions remembered beside the trust policy moves to the state directory.
Result<void> remember_pull(const sign::Anchors& anchors, const store::Store& store,
                           const std::string& name, const PulledImage& image);

/// To be called after the user removed a name: what this user pulled under it into this store is
/// forgotten, unless the store has the name again. `called` is what the user called the image: the
/// name, or a text with a digest. With a digest, only pulls of that very manifest are forgotten,
/// since which names the image has is the store's word. Whether nothing about the name is left.
Result<bool> forget_pull(const store::Store& store, const std::string& name,
                         const std::string& called);

/// untrusted when this user (or root, for everybody) pulled something else under the name, or
/// pulled the name into another store that was at this path. Names that were never pulled from here
/// pass: then the signature alone decides. A local seal has to be remembered, and be the one that
/// the last pull made.
Result<void> check_pull_memory(const sign::Anchors& anchors, const store::Store& store,
                               const std::string& name, const PulledImage& image);

/// Where the image of this record comes from: what is remembered of its pulls, and what the record
/// says. The latter is the store's word, but can only make more be refused.
Result<Origin> origin_of(const sign::Anchors& anchors, const store::Store& store,
                         const store::NamedImage& record);

/// untrusted when the manifest was pulled under the name with a local seal: for a name that has
/// none any more.
Result<void> check_local_seal_is_there(const sign::Anchors& anchors, const store::Store& store,
                                       const std::string& name, const Digest& manifest);

/// The names that this user (or root, for everybody) pulled into this store, or into another store
/// at its path, sorted.
Result<std::vector<std::string>> remembered_names(const store::Store& store);

/// Whether exactly this has been remembered, so that remember_pull() would change nothing.
bool is_remembered(const sign::Anchors& anchors, const store::Store& store, const std::string& name,
                   const PulledImage& image);

}  // namespace intact::image
