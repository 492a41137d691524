#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

/// A blob that a stored image needs. A missing one is damage: "not found" is for names.
Result<Bytes> read_needed(const store::Store& store, const Digest& digest, std::uint64_t limit);

/// The signatures of a stored image, hashed and not judged. A local seal is not one of them.
struct StoredEvidence {
  std::vector<sign::Evidence> pieces;
  std::optional<Error> damage;  ///< why others could not be read
};
Result<StoredEvidence> read_stored_evidence(const store::Store& store,
                                            const store::NamedImage& record);

}  // namespace intact::image
