#pragma once

#include <initializer_list>
#include <string_view>

#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/sign/policy.h>

namespace intact::sign {

/// A member that we do not know may narrow what is trusted, so it cannot be passed over; nor can a
/// null, which readers take for absent.
Result<void> refuse_strange_members(const Json& object,
                                    std::initializer_list<std::string_view> known);

Result<Requirement> parse_requirement(const Json& item);

}  // namespace intact::sign
