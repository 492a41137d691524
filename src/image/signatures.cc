#include "signatures.h"

#include <algorithm>

#include <intact/json/json.h>
#include <intact/oci/media_types.h>
#include <intact/sign/bundle.h>
#include <intact/sign/notation.h>

namespace intact::image {
namespace {

/// Whether a blob is missing or is not what its digest says. Other errors are ours.
bool is_bad_blob(const Error& error) {
  return error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::tampered ||
         error.kind() == ErrorKind::malformed;
}

/// For people.
std::string word_for(std::string_view kind) {
  if (kind == sign::kSigstoreBundle) return "sigstore bundle";
  if (kind == sign::kNotationJws || kind == sign::kNotationCose) return "Notation signature";
  return kind == sign::kDsse ? "attestation" : "signature";
}

/// Whether a manifest refers to another one, and needs no tag to be found.
bool is_referrer(const SignatureDocument& document) {
  const auto parsed = oci::parse_manifest(document.manifest.bytes, "");
  return parsed && parsed->subject;
}

Result<Bytes> read_from(const oci::ImageSource& source, const oci::Descriptor& blob,
                        std::size_t limit) {
  if (blob.size > limit)
    return Error(ErrorKind::malformed, blob.digest.to_string() + ": larger than it may be");
  return source.read_document(blob);
}

/// The config of a signature manifest, if there is one that can be read.
Result<std::optional<ReadBlob>> read_config(const oci::ImageSource& source, ByteSpan manifest) {
  // A signature that others have entered badly must not hide the good ones.
  const auto parsed = oci::parse_manifest(manifest, "");
  if (!parsed) return std::optional<ReadBlob>();
  auto config = source.read_document(parsed->config);
  if (config) return std::optional(ReadBlob{parsed->config, *std::move(config)});
  if (config.error().kind() == ErrorKind::not_found) return std::optional<ReadBlob>();
  return std::move(config).error().with_context("signature config");
}

/// Adds what one manifest says; one without anything to judge is only listed.
Result<void> add_document(const oci::ImageSource& source, const oci::Descriptor& descriptor,
                          SignatureState& state) {
  // What others have entered badly must not hide the good ones.
  const auto skip = [&](Error error) -> Result<void> {
    const bool is_theirs = is_bad_blob(error) || error.kind() == ErrorKind::unsupported ||
                           error.kind() == ErrorKind::limit;
    error = std::move(error).with_context("signature manifest");
    if (!is_theirs) return error;
    if (!state.damage) state.damage = std::move(error);
    return {};
  };
  SignatureDocument document;
  auto bytes = source.read_document(descriptor);
  if (!bytes) return skip(std::move(bytes).error());
  document.manifest = {descriptor, *std::move(bytes)};
  auto layers =
      read_layers(document.manifest.bytes, [&](const oci::Descriptor& blob, std::size_t limit) {
        return read_from(source, blob, limit);
      });
  if (!layers) return skip(std::move(layers).error());
  ReadSignatures& read = *layers;
  if (read.pieces.empty()) {
    state.evidence.push_back(
        sign::foreign_evidence("signature of an unknown kind " + descriptor.digest.to_string()));
    return {};
  }
  const auto known = std::ranges::find_if(read.pieces, &sign::Evidence::can_be_judged);
  document.kind = known == read.pieces.end() ? read.pieces.front().kind : known->kind;
  document.blobs = std::move(read.blobs);
  if (auto config = TRY(read_config(source, document.manifest.bytes)))
    document.blobs.push_back(*std::move(config));
  for (sign::Evidence& piece : read.pieces) state.evidence.push_back(std::move(piece));
  if (state.evidence.size() > sign::kMaxSignatures)
    return Error(ErrorKind::limit,
                 "more than " + std::to_string(sign::kMaxSignatures) + " signatures");
  state.documents.push_back(std::move(document));
  return {};
}

}  // namespace

bool may_hold_signatures(const oci::Descriptor& referrer) {
  constexpr std::string_view kTypes[] = {"application/vnd.dev.sigstore.bundle",
                                         "application/vnd.dev.cosign.artifact.sig",
                                         "application/vnd.dev.cosign.simplesigning",
                                         "application/vnd.dsse.envelope",
                                         "application/vnd.in-toto",
                                         "application/vnd.cncf.notary.signature"};
  return std::ranges::any_of(
      kTypes, [&](std::string_view type) { return referrer.artifact_type.starts_with(type); });
}

Result<ReadSignatures> read_layers(ByteSpan manifest, const ReadSigned& read) {
  ReadSignatures found;
  for (sign::SignatureLayer& layer : TRY(sign::parse_signature_manifest(manifest))) {
    oci::Descriptor descriptor{
        .media_type = layer.media_type, .digest = layer.payload, .size = layer.size};
    auto bytes = read(descriptor, sign::max_payload_size(layer.kind));
    if (bytes) {
      found.pieces.push_back({.payload = *bytes,
                              .signature_base64 = std::move(layer.signature_base64),
                              .kind = layer.kind,
                              .what = word_for(layer.kind) + " " + layer.payload.to_string()});
      found.blobs.push_back({std::move(descriptor), *std::move(bytes)});
    } else if (is_bad_blob(bytes.error())) {
      found.pieces.push_back(sign::foreign_evidence(word_for(layer.kind) +
                                                    " with a missing or damaged payload " +
                                                    layer.payload.to_string()));
      found.damage = std::move(bytes).error();
    } else {
      return std::move(bytes).error().with_context("signature payload");
    }
  }
  return found;
}

std::vector<store::EvidenceRef> SignatureState::references() const {
  std::vector<store::EvidenceRef> all;
  all.reserve(documents.size());
  for (const SignatureDocument& document : documents)
    all.push_back({document.kind, document.manifest.descriptor.digest});
  return all;
}

const SignatureDocument* SignatureState::classic() const {
  for (const SignatureDocument& document : documents)
    if (document.kind == sign::kSimpleSigning && !is_referrer(document)) return &document;
  return nullptr;
}

bool SignatureState::has(const sign::SigningPayload& payload, const sign::PublicKey& key,
                         std::string_view kind) const {
  return std::ranges::any_of(evidence, [&](const sign::Evidence& piece) {
    return piece.kind == kind && sign::is_signed_by(piece, payload, key);
  });
}

Result<SignatureState> read_signatures(const oci::ImageSource& source,
                                       const oci::Descriptor& manifest) {
  SignatureState state;
  std::vector<oci::Descriptor> found;
  for (const auto& tagged : {TRY(source.find_signatures(manifest.digest)),
                             TRY(source.find_attestations(manifest.digest))})
    if (tagged) found.push_back(*tagged);
  for (oci::Descriptor& referrer : TRY(source.referrers(manifest.digest)))
    if (may_hold_signatures(referrer)) found.push_back(std::move(referrer));
  for (const oci::Descriptor& descriptor : found) TRY(add_document(source, descriptor, state));
  return state;
}

namespace {

/// Adds a signature to cosign's manifest of them, in which those of `old` stay.
Result<oci::Descriptor> put_classic(oci::ImageDestination& destination,
                                    const SignatureDocument* old,
                                    const sign::SigningPayload& payload,
                                    const sign::PrivateKey& key) {
  const sign::SignatureImage made = TRY(sign::make_signature_image(payload, key));
  TRY(destination.put_document(made.payload, sign::kSignatureMediaType));
  if (!old) {
    TRY(destination.put_document(made.config, oci::kConfigType));
    return destination.put_document(made.manifest, oci::kManifestType);
  }
  // Somebody else has signed it as well: one manifest holds all signatures, one layer each.
  oci::Manifest merged = TRY(oci::parse_manifest(old->manifest.bytes, ""));
  const oci::Manifest ours = TRY(oci::parse_manifest(made.manifest, ""));
  merged.layers.insert(merged.layers.end(), ours.layers.begin(), ours.layers.end());
  Json config = TRY(parse_json(made.config));
  Json& diff_ids = config["rootfs"]["diff_ids"] = Json::array();
  for (const oci::Descriptor& layer : merged.layers) diff_ids.push_back(layer.digest.to_string());
  merged.config = TRY(destination.put_document(as_bytes(to_text(config)), oci::kConfigType));
  return destination.put_document(oci::encode_manifest(merged), oci::kManifestType);
}

/// Stages a signature that refers to the image, and enters it.
Result<oci::Descriptor> put_referrer(oci::ImageDestination& destination,
                                     const oci::Descriptor& manifest,
                                     const sign::SignatureImage& made,
                                     std::string_view payload_type, std::string_view config_type,
                                     std::string_view artifact_type) {
  TRY(destination.put_document(made.payload, payload_type));
  TRY(destination.put_document(made.config, config_type));
  oci::Descriptor referrer = TRY(destination.put_document(made.manifest, oci::kManifestType));
  referrer.artifact_type = artifact_type;
  TRY(destination.put_referrer(manifest, referrer));
  return referrer;
}

Result<oci::Descriptor> put_bundle(oci::ImageDestination& destination,
                                   const oci::Descriptor& manifest,
                                   const sign::SigningPayload& payload,
                                   const sign::PrivateKey& key) {
  const sign::SignatureImage made = sign::wrap_bundle(
      TRY(sign::make_bundle(payload, key)), {manifest.media_type, manifest.digest, manifest.size});
  return put_referrer(destination, manifest, made, sign::kBundleMediaType, oci::kEmptyType,
                      sign::kBundleMediaType);
}

Result<oci::Descriptor> put_notation(oci::ImageDestination& destination,
                                     const oci::Descriptor& manifest,
                                     const sign::SigningPayload& payload, const Signing& signing) {
  const auto format = signing.format == SignatureFormat::notation_jws ? sign::NotationFormat::jws
                                                                      : sign::NotationFormat::cose;
  const sign::SignedManifest subject{manifest.media_type, manifest.digest, manifest.size};
  const std::int64_t time = payload.time.value_or(0);
  const sign::SignatureImage made = sign::wrap_notation(
      TRY(sign::make_notation(payload, subject, signing.key, *signing.certificates, time, format)),
      subject, *signing.certificates, time, format);
  return put_referrer(
      destination, manifest, made,
      format == sign::NotationFormat::jws ? sign::kJwsMediaType : sign::kCoseMediaType,
      sign::kNotationArtifactType, sign::kNotationArtifactType);
}

/// The kind of the evidence that a format makes besides the classic one; empty: none.
std::string_view referrer_kind(SignatureFormat format) {
  switch (format) {
    case SignatureFormat::classic:
      return "";
    case SignatureFormat::bundle:
    case SignatureFormat::both:
      return sign::kSigstoreBundle;
    case SignatureFormat::notation_jws:
      return sign::kNotationJws;
    case SignatureFormat::notation_cose:
      return sign::kNotationCose;
  }
  return "";
}

}  // namespace

Result<PutSignatures> put_signatures(oci::ImageDestination& destination,
                                     const oci::Descriptor& manifest, const SignatureState& old,
                                     const sign::SigningPayload& payload, const Signing& signing) {
  PutSignatures result{.manifest = {}, .unchanged = true};
  const sign::PublicKey key = signing.key.public_key();
  const SignatureDocument* const present = old.classic();
  std::optional<oci::Descriptor> classic;
  if (present) classic = present->manifest.descriptor;
  const bool wants_classic =
      signing.format == SignatureFormat::classic || signing.format == SignatureFormat::both;
  if (wants_classic && !(present && old.has(payload, key, sign::kSimpleSigning))) {
    classic = TRY(put_classic(destination, present, payload, signing.key));
    result.unchanged = false;
  }
  TRY(destination.put_image(manifest, classic));
  if (classic) result.manifest = classic->digest;
  const std::string_view kind = referrer_kind(signing.format);
  if (kind.empty()) return result;
  for (const SignatureDocument& document : old.documents)
    if (document.kind == kind) result.manifest = document.manifest.descriptor.digest;
  if (!old.has(payload, key, kind)) {
    result.manifest =
        TRY(kind == sign::kSigstoreBundle ? put_bundle(destination, manifest, payload, signing.key)
                                          : put_notation(destination, manifest, payload, signing))
            .digest;
    result.unchanged = false;
  }
  return result;
}

Result<void> put_documents(oci::ImageDestination& destination, const oci::Descriptor& manifest,
                           const std::vector<SignatureDocument>& documents) {
  std::optional<oci::Descriptor> signatures;
  for (const SignatureDocument& document : documents) {
    for (const ReadBlob& blob : document.blobs)
      TRY(destination.put_document(blob.bytes, blob.descriptor.media_type));
    oci::Descriptor entry =
        TRY(destination.put_document(document.manifest.bytes, oci::kManifestType));
    const auto parsed = oci::parse_manifest(document.manifest.bytes, "");
    if (parsed && parsed->subject) {
      entry.artifact_type = parsed->artifact_type;
      TRY(destination.put_referrer(manifest, entry));
    } else if (document.kind == sign::kDsse) {
      TRY(destination.put_attestations(manifest, entry));
    } else {
      signatures = std::move(entry);
    }
  }
  return destination.put_image(manifest, signatures);
}

}  // namespace intact::image
