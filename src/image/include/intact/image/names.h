#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

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

/// The names of images that were pulled into this store and that it no longer has, though nobody
/// removed them with image::remove(). Errors are those of the memory of pulls: it must be found and
/// must not be writable by others.
Result<std::vector<std::string>> lost_names(const store::Store& store);

/// What is wrong with such a name (not_found), and what to do.
Error lost_name(const std::string& name);

/// The names that are to be removed for these texts, which may be digests (see
/// store::resolve_names()), each with the text that it was found by. A name in the store stands for
/// itself, whatever it looks like; one with a damaged record and one that the store has lost can be
/// removed as well. Errors: those of store::resolve_names() for the first text that stands for
/// nothing; `skip_missing` passes over those that are not found.
Result<std::map<std::string, std::string>> names_to_remove(const store::Store& store,
                                                           const std::vector<std::string>& texts,
                                                           bool skip_missing = false);

/// Every name that the store has or has lost, each found by itself. Damaged records are added to
/// `damaged`.
Result<std::map<std::string, std::string>> all_names_to_remove(const store::Store& store,
                                                               std::vector<Error>& damaged);

/// Removes a name from the store, and what pulls remembered about it outside the store: another
/// image may be pulled under it. If it was `called` by a digest, a pull of another manifest under
/// the name is still remembered, since only the store says that the name is this image's.
/// not_found if the store does not have it. The result is the error that kept the memory from
/// changing, if any; the name is removed nevertheless.
Result<std::optional<Error>> remove(store::Store& store, const std::string& name,
                                    const std::string& called);

}  // namespace intact::image
