#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/store/store.h>

namespace intact::cli {

/// For each of these objects ("objects/ab/cdef...") the names of the images that need it, sorted,
/// but for those of `except`. An image that is damaged itself is passed over.
Result<std::map<std::string, std::vector<std::string>>> other_users_of(
    const store::Store& store, const std::set<std::string>& objects, const Digest& except);

}  // namespace intact::cli
