#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::cli {

/// Writes all of `source` to the new file `path`, readable by the user alone, with holes where
/// there are zeros. The file appears when it is complete and durable; after an error there is none.
/// Error kind exists: there is one already.
Result<void> copy_out(const ByteSource& source, const std::string& path);

}  // namespace intact::cli
