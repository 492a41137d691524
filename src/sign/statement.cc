#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include <intact/crypto/base64.h>
#include <intact/sign/signed_time.h>
#include <intact/sign/statement.h>

#include "claims.h"
#include "proto_json.h"

namespace intact::sign {
namespace {

constexpr std::string_view kStatementV1 = "https://in-toto.io/Statement/v1";
constexpr std::string_view kStatementV01 = "https://in-toto.io/Statement/v0.1";

Result<Statement::Subject> parse_statement_subject(const Json& item) {
  Statement::Subject subject;
  const Json& digests = *TRY(require_object(item, "digest"));
  for (const auto& [algorithm, hex] : digests.items()) {
    if (!hex.is_string()) return Error(ErrorKind::malformed, "a digest is not a string");
    // Other algorithms may stand beside the one that we compare with.
    auto digest = Digest::parse(algorithm + ":" + hex.get_ref<const std::string&>());
    if (digest) {
      subject.digests.push_back(*digest);
    } else if (digest.error().kind() != ErrorKind::unsupported) {
      return std::move(digest).error();
    }
  }
  if (const Json* const annotations = TRY(optional_object(item, "annotations")))
    TRY(read_annotations(*annotations, subject.claims));
  return subject;
}

/// Where predicates say when they were made: of cosign's own type, SLSA 0.2 and 1, vulnerability
/// scans, SPDX, CycloneDX and OpenVEX.
constexpr std::initializer_list<const char*> kTimes[] = {
    {"Timestamp"},
    {"metadata", "buildFinishedOn"},
    {"runDetails", "metadata", "finishedOn"},
    {"metadata", "scanFinishedOn"},
    {"creationInfo", "created"},
    {"metadata", "timestamp"},
    {"timestamp"},
};

/// The latest of several would let a producer of one member decide, so the earliest counts.
std::optional<std::int64_t> time_of(const Json& document) {
  const auto predicate = document.find("predicate");
  if (predicate == document.end()) return std::nullopt;
  std::optional<std::int64_t> earliest;
  for (const auto& path : kTimes) {
    const Json* value = &*predicate;
    for (const char* const name : path) {
      const auto found = value->is_object() ? value->find(name) : value->end();
      value = value->is_object() && found != value->end() ? &*found : nullptr;
      if (!value) break;
    }
    if (!value || !value->is_string()) continue;
    const auto time = parse_time(value->get_ref<const std::string&>());
    if (time) earliest = std::min(earliest.value_or(*time), *time);
  }
  return earliest;
}

}  // namespace

Result<Envelope> parse_envelope(const Json& object) {
  const auto parse = [&]() -> Result<Envelope> {
    Envelope envelope;
    envelope.payload_type = TRY(require_text(object, "payloadType", "payload_type"));
    envelope.payload = TRY(require_bytes(object, "payload", "payload"));
    const Json& signatures = *TRY(require_array(object, "signatures"));
    if (signatures.empty()) return Error(ErrorKind::malformed, "no signature");
    if (signatures.size() > kMaxEnvelopeSignatures)
      return Error(ErrorKind::limit,
                   fmt::format("more than {} signatures", kMaxEnvelopeSignatures));
    for (const Json& signature : signatures)
      envelope.signatures.push_back(TRY(require_bytes(signature, "sig", "sig")));
    return envelope;
  };
  return parse().context("envelope");
}

Bytes signed_bytes(std::string_view payload_type, ByteSpan payload) {
  Bytes bytes =
      to_bytes(fmt::format("DSSEv1 {} {} {} ", payload_type.size(), payload_type, payload.size()));
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Result<Statement> parse_statement(ByteSpan bytes) {
  const auto parse = [&]() -> Result<Statement> {
    const Json document =
        TRY(parse_json(bytes, {.bytes = kMaxStatementSize, .depth = 64, .values = 500'000}));
    Statement statement{.type = TRY(require_string(document, "_type")),
                        .predicate_type = TRY(require_string(document, "predicateType")),
                        .subjects = {},
                        .predicate_time = {}};
    if (statement.type != kStatementV1 && statement.type != kStatementV01)
      return Error(ErrorKind::unsupported, "not of version 1 or 0.1");
    if (statement.predicate_type.empty())
      return Error(ErrorKind::malformed, "\"predicateType\" is empty");
    const Json& subjects = *TRY(require_array(document, "subject"));
    if (subjects.size() > kMaxSubjects)
      return Error(ErrorKind::limit, fmt::format("more than {} subjects", kMaxSubjects));
    for (const Json& subject : subjects)
      statement.subjects.push_back(TRY(parse_statement_subject(subject)));
    statement.predicate_time = time_of(document);
    return statement;
  };
  return parse().context("statement");
}

Bytes encode_signature_statement(const SigningPayload& payload) {
  // Put together by hand: the order of the members and the lack of spaces are cosign's.
  return to_bytes(
      fmt::format(R"({{"_type":"{}","subject":[{{"digest":{{"{}":"{}"}},"annotations":{{{}}}}}],)"
                  R"("predicateType":"{}","predicate":{{}}}})",
                  kStatementV1, to_string(payload.manifest.algorithm()), payload.manifest.hex(),
                  encode_annotations(payload), kSignaturePredicate));
}

Result<SigningPayload> payload_of(const Statement& statement, const Digest& manifest) {
  std::optional<SigningPayload> found;
  for (const Statement::Subject& subject : statement.subjects) {
    if (std::ranges::find(subject.digests, manifest) == subject.digests.end()) continue;
    if (found) return Error(ErrorKind::malformed, "the statement names the manifest twice");
    found = subject.claims;
    found->manifest = manifest;
  }
  if (!found) {
    // About others: the caller says so.
    for (const Statement::Subject& subject : statement.subjects) {
      if (subject.digests.empty()) continue;
      SigningPayload other = subject.claims;
      other.manifest = subject.digests.front();
      return other;
    }
    return Error(ErrorKind::malformed, "the statement names no manifest");
  }
  if (statement.type != kStatementV1 && statement.predicate_type == kSignaturePredicate)
    return Error(ErrorKind::malformed, "a signature in a statement of an old version");
  return *std::move(found);
}

}  // namespace intact::sign
