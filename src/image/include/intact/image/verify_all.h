#pragma once

#include <functional>
#include <string>

#include <intact/base/result.h>
#include <intact/image/verify.h>
#include <intact/store/store.h>

namespace intact::image {

/// The verification of one of all images in a store, or why there is none.
struct NamedVerification {
  std::string name;  ///< empty: a record that is damaged, so that its name is not known
  Result<VerifyReport> report;
};

/// Verifies every image in the store with `verify`, which is given names, and passes each result to
/// `done` as soon as it is there. One that fails does not keep the others from being verified;
/// names that the store has lost count as failed, those that were removed meanwhile are left out.
/// Errors: the store cannot be listed, or those of lost_names().
Result<void> verify_all(const store::Store& store,
                        const std::function<Result<VerifyReport>(const std::string&)>& verify,
                        const std::function<void(const NamedVerification&)>& done);

}  // namespace intact::image
