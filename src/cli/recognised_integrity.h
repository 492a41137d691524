#pragma once

#include <memory>
#include <optional>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/integrity/params.h>
#include <intact/stack/recognise.h>

#include "integrity_options.h"

namespace intact::cli {

struct RecognisedIntegrity {
  integrity::Params params;
  std::optional<Error> doubt = {};  ///< why it may only be read like this, not written
};

/// For `intact open`: the layer for a device that was identified as dm-integrity. Messages use the
/// device name in the options. The hash is the one in the options, otherwise the one that sampled
/// tags match. Writing requires that every sampled tag matches, at least 16 bytes in total. With a
/// key, only keyed hashes are accepted. Everything else comes from the superblock. Errors in
/// addition to those of the device: invalid_argument, with what to pass, if the hash cannot be
/// detected; bad_secret if the key does not fit or is not needed.
Result<RecognisedIntegrity> recognised_integrity(const IntegrityOptions& options,
                                                 const std::shared_ptr<block::Device>& device);

/// For `intact info`: adds the hash that makes the tags to `description`, if it needs no key.
/// Returns the contents, read without checks and ignoring the journal; null if that is not
/// possible.
std::shared_ptr<block::Device> look_into_integrity(const std::shared_ptr<block::Device>& device,
                                                   stack::Content& description);

}  // namespace intact::cli
