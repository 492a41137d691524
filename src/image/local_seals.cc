#include "local_seals.h"

#include <algorithm>

#include <intact/base/visible.h>
#include <intact/crypto/hash.h>

#include "pull_memory.h"
#include "stored_evidence.h"

namespace intact::image {

bool needs_local_seal(bool is_sealed, sign::Basis basis) {
  return !is_sealed || basis == sign::Basis::pin || basis == sign::Basis::first_use;
}

std::optional<Digest> local_seal_of(const store::NamedImage& record) {
  const auto found =
      std::ranges::find(record.evidence, sign::kLocalSeal, &store::EvidenceRef::kind);
  if (found == record.evidence.end()) return std::nullopt;
  return found->document;
}

Result<std::optional<StoredSeal>> find_local_seal(const store::Store& store,
                                                  const store::NamedImage& record) {
  const auto document = local_seal_of(record);
  if (!document) return std::optional<StoredSeal>();
  const std::string again = "; pull the image again on this machine with `intact pull SOURCE NAME`";
  const Bytes bytes =
      TRY(read_needed(store, *document, sign::kMaxLocalSealSize).context("local seal"));
  const auto keys = TRY(sign::load_machine_keys(TRY(state_directories())));
  auto seal = sign::open_local_seal(bytes, keys);
  if (!seal && seal.error().kind() == ErrorKind::untrusted)
    return Error(ErrorKind::untrusted,
                 "its local seal was not made by this machine, so the store comes from another one "
                 "or somebody has changed it" +
                     again);
  if (!seal) return std::move(seal).error();
  if (seal->name != record.name)
    return Error(ErrorKind::untrusted,
                 "its local seal was made for the name '" + visible(seal->name) + "'" + again);
  if (seal->manifest != record.manifest)
    return Error(ErrorKind::untrusted, "its local seal was made for another manifest, " +
                                           seal->manifest.to_string() + again);
  return std::optional(StoredSeal{*document, *std::move(seal)});
}

sign::Anchors anchors_with(const sign::Anchors& anchors, const std::optional<StoredSeal>& seal,
                           const Origin& origin) {
  sign::Anchors with = anchors;
  with.place = origin.place;
  with.through = origin.through;
  if (seal && seal->seal.basis == sign::Basis::pin) with.pin = seal->seal.manifest;
  if (seal && seal->seal.basis == sign::Basis::first_use) with.first_use = true;
  return with;
}

Result<NewSeal> seal_locally(const sign::LocalSeal& seal) {
  const auto key = TRY(sign::MachineKey::load_or_create(TRY(state_directory())));
  Bytes document = TRY(sign::make_local_seal(seal, key));
  const Digest digest = crypto::sha256(document);
  return NewSeal{digest, std::move(document)};
}

void put_local_seal(store::NamedImage& record, const Digest& document) {
  if (const auto old = local_seal_of(record)) std::erase(record.blobs, *old);
  std::erase_if(record.evidence, [](const store::EvidenceRef& evidence) {
    return evidence.kind == sign::kLocalSeal;
  });
  record.evidence.push_back({std::string(sign::kLocalSeal), document});
  record.blobs.push_back(document);
  std::ranges::sort(record.blobs);
}

}  // namespace intact::image
