#pragma once

#include <functional>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/certificate_chain.h>

#include "notation_names.h"

namespace intact::sign {

/// Makes the signature over a message as envelopes store it.
using SignMessage = std::function<Result<Bytes>(ByteSpan message)>;

Result<Bytes> write_jws(const NotationAlgorithm& algorithm, ByteSpan payload,
                        const crypto::CertificateChain& chain, const std::string& time,
                        const SignMessage& sign);
Result<Bytes> write_cose(const NotationAlgorithm& algorithm, ByteSpan payload,
                         const crypto::CertificateChain& chain, std::int64_t time,
                         const SignMessage& sign);

}  // namespace intact::sign
