#pragma once

#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/trust.h>

namespace intact::image {

// What was pulled under which name is remembered beside the trust policy, outside the store. A name
// record is only the store's word: without this memory, whoever writes to the store could offer
// another validly signed image, or an older one, under the name.

/// Remembers that `manifest` was pulled as `name` into the store at `store_path`.
Result<void> remember_pull(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest);

/// untrusted when this user (or root, for everybody) pulled something else under the name. Names
/// that were never pulled from here pass: then the signature alone speaks.
Result<void> check_pull_memory(const sign::Anchors& anchors, const std::string& store_path,
                               const std::string& name, const Digest& manifest);

}  // namespace intact::image
