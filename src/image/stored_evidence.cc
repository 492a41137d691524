#include "stored_evidence.h"

#include <intact/base/visible.h>
#include <intact/oci/manifest.h>
#include <intact/sign/local_seal.h>
#include <intact/sign/signature_image.h>

#include "signatures.h"

namespace intact::image {

Result<Bytes> read_needed(const store::Store& store, const Digest& digest, std::uint64_t limit) {
  auto bytes = store.read_blob(digest, limit);
  if (!bytes && bytes.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::tampered, digest.to_string() + ": missing; pull the image again");
  return bytes;
}

namespace {

/// Notes why a piece cannot be used, if that is about the piece: others may be good.
Result<void> skip_piece(Error error, StoredEvidence& evidence) {
  const ErrorKind kind = error.kind();
  const bool is_bad = kind == ErrorKind::tampered || kind == ErrorKind::malformed ||
                      kind == ErrorKind::unsupported || kind == ErrorKind::limit;
  if (!is_bad) return error;
  if (!evidence.damage) evidence.damage = std::move(error);
  return {};
}

/// Adds the signatures of one manifest. What is missing or damaged of it is skipped like any bad
/// signature.
Result<void> add_signatures(const store::Store& store, const Digest& document,
                            StoredEvidence& evidence) {
  const auto manifest = read_needed(store, document, sign::kMaxSignatureManifestSize);
  if (!manifest) return skip_piece(manifest.error(), evidence);
  auto read = read_layers(*manifest, [&](const oci::Descriptor& blob, std::size_t limit) {
    return read_needed(store, blob.digest, limit);
  });
  if (!read) return skip_piece(std::move(read).error(), evidence);
  for (sign::Evidence& piece : read->pieces)
    if (piece.can_be_judged()) evidence.pieces.push_back(std::move(piece));
  if (evidence.pieces.size() > sign::kMaxSignatures)
    return Error(ErrorKind::limit,
                 "more than " + std::to_string(sign::kMaxSignatures) + " signatures");
  if (read->damage && !evidence.damage) evidence.damage = std::move(read->damage);
  return {};
}

}  // namespace

Result<StoredEvidence> read_stored_evidence(const store::Store& store,
                                            const store::NamedImage& record) {
  StoredEvidence evidence;
  for (const auto& [kind, document] : record.evidence) {
    if (sign::is_known_kind(kind)) {
      TRY(add_signatures(store, document, evidence));
    } else if (kind != sign::kLocalSeal) {
      evidence.pieces.push_back(
          sign::foreign_evidence("'" + visible(kind.substr(0, 100)) + "' " + document.to_string()));
    }
  }
  return evidence;
}

}  // namespace intact::image
