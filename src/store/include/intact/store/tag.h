#pragma once

#include <intact/base/result.h>
#include <intact/store/store.h>
#include <intact/store/transaction.h>

namespace intact::store {

/// Writes the record of an image that is in the store under a further name, `image.name`. The
/// caller has a lease on it. exists: the name refers to another manifest, and `replace` is not set.
/// `hooks` as in Transaction::commit().
Result<void> tag_image(Store& store, const NamedImage& image, bool replace,
                       const NamingHooks& hooks = {});

}  // namespace intact::store
