#pragma once

#include <vector>

#include <intact/base/result.h>
#include <intact/block/file_target.h>
#include <intact/stack/recognise.h>
#include <intact/stack/volume.h>

#include "integrity_options.h"

namespace intact::cli {

/// The dm-integrity volume in a file that was recognised as one, for `intact open`. What makes its
/// tags is what the options say, else what they show it to be: for writing only beyond doubt. The
/// rest is as its superblock says. Beside errors of the device: invalid_argument if it cannot be
/// found out, with what to give; bad_secret if the key that is given is none of it, or not needed:
/// whoever gives a key means that nobody else can have made the tags.
Result<stack::IntegrityVolume> recognised_integrity(const IntegrityOptions& options,
                                                    block::Access access);

/// What is in it, as recognise() says it of a file. A beginning that cannot be read is nothing that
/// is known.
Result<std::vector<stack::Content>> content_of(const stack::IntegrityVolume& volume);

/// For `intact info`: adds to what the superblock says which hash makes the tags, if it is one
/// without key. Returns what is in the device, read without a check and without heed of the
/// journal. Nothing of it is verified, and what cannot be is left out.
std::vector<stack::Content> look_into_integrity(const stack::File& file,
                                                stack::Content& description);

}  // namespace intact::cli
