#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/sign/trust.h>
#include <intact/store/store.h>

namespace intact::image {

/// Gives a stored image a further name. Its chain is checked as at every use, and it must be
/// allowed to go by the new name, which is remembered as if the image had been pulled under it.
///
/// `name` is as in store::resolve_image(). Errors: those of check_chain(); exists if `new_name`
/// refers to another image, unless `replace`; invalid_argument if it is not a name.
Result<store::NamedImage> tag(store::Store& store, const std::string& name,
                              const std::string& new_name, const sign::Anchors& anchors,
                              bool replace);

}  // namespace intact::image
