#pragma once

#include <memory>
#include <optional>

#include <intact/base/result.h>
#include <intact/block/target.h>
#include <intact/stack/integrity_layer.h>
#include <intact/stack/recognise.h>

#include "integrity_options.h"

namespace intact::cli {

struct RecognisedIntegrity {
  stack::IntegrityLayer layer;
  std::optional<Error> doubt = {};  ///< why it may be read like this, and not written
};

/// The layer of dm-integrity on a device that was recognised as one, for `intact open`; the name of
/// the options is that of messages. What makes its tags is what the options say, else what they
/// show it to be: for writing only beyond doubt. The rest is as its superblock says. Beside errors
/// of the device: invalid_argument if it cannot be found out, with what to give; bad_secret if the
/// key that is given is none of it, or not needed: whoever gives a key means that nobody else can
/// have made the tags.
Result<RecognisedIntegrity> recognised_integrity(const IntegrityOptions& options,
                                                 const std::shared_ptr<block::BlockTarget>& device);

/// For `intact info`: adds to what the superblock says which hash makes the tags, if it is one
/// without key. Returns the device within, read without a check and without heed of the journal;
/// null if that cannot be.
std::shared_ptr<block::BlockTarget> look_into_integrity(
    const std::shared_ptr<block::BlockTarget>& device, stack::Content& description);

}  // namespace intact::cli
