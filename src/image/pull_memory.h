#pragma once

#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/sign/trust.h>

namespace intact::image {

// What was pulled under which name is remembered beside the trust policy, outside the store. A name
// record is only the store's word: without this memory, whoever writes to the store could offer
// another validly signed image, or an older one, under the name. Both functions that change the
// memory are called while no other pull can change the name (store::NamingHooks).

/// To be called before a name is replaced: `manifest` is right under it from now on, beside what is
/// there. A pull that ends between the store and this memory thus leaves a name that passes. Does
/// nothing for a name that is new.
Result<void> announce_pull(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest);

/// Remembers that `manifest`, and nothing else, was pulled as `name` into the store at
/// `store_path`.
Result<void> remember_pull(const sign::Anchors& anchors, const std::string& store_path,
                           const std::string& name, const Digest& manifest);

/// untrusted when this user (or root, for everybody) pulled something else under the name. Names
/// that were never pulled from here pass: then the signature alone speaks.
Result<void> check_pull_memory(const sign::Anchors& anchors, const std::string& store_path,
                               const std::string& name, const Digest& manifest);

}  // namespace intact::image
