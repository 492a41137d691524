#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/sign/payload.h>

namespace intact::sign {

/// The media type of an in-toto statement.
inline constexpr std::string_view kStatementType = "application/vnd.in-toto+json";
/// The predicate with which cosign signs images. Statements with any other are attestations, which
/// say something about an image and do not vouch for it.
inline constexpr std::string_view kSignaturePredicate = "https://sigstore.dev/cosign/sign/v1";
/// The annotation of a statement's subject that holds the identity (SigningPayload), which
/// cosign's statements lack.
inline constexpr std::string_view kIdentityAnnotation = "dev.intact.identity";

inline constexpr std::size_t kMaxStatementSize = 4 * 1024 * 1024;  // bytes
inline constexpr std::size_t kMaxSubjects = 1000;

/// A signed envelope (DSSE): bytes, what they are, and signatures over both.
struct Envelope {
  std::string payload_type;
  Bytes payload;
  std::vector<Bytes> signatures;  ///< at least one, at most kMaxEnvelopeSignatures
};

inline constexpr std::size_t kMaxEnvelopeSignatures = 8;

/// Parses an envelope in protobuf's JSON: members in camel case or snake case, never both.
Result<Envelope> parse_envelope(const Json& object);
/// The bytes that its signatures cover (PAE).
Bytes signed_bytes(std::string_view payload_type, ByteSpan payload);

/// An in-toto statement, v1 or v0.1: what its predicate says is said about its subjects.
struct Statement {
  struct Subject {
    std::vector<Digest> digests{};  ///< of algorithms that are known here
    SigningPayload claims{};        ///< our annotations; its manifest is not set
  };
  std::string type;  ///< the value of "_type"
  std::string predicate_type;
  std::vector<Subject> subjects;
  /// When the predicate was made, where one of the usual types says so; seconds since 1970.
  std::optional<std::int64_t> predicate_time{};
};

/// malformed: not a statement. Of the predicate only the time is looked for.
Result<Statement> parse_statement(ByteSpan bytes);

/// The statement that cosign 3 writes to sign an image, with our identity.
Bytes encode_signature_statement(const SigningPayload& payload);

/// What a statement that was found well signed says about a manifest, or else about another that it
/// names. malformed if it names none, or this one twice.
Result<SigningPayload> payload_of(const Statement& statement, const Digest& manifest);

}  // namespace intact::sign
