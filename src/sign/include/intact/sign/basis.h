#pragma once

#include <string_view>

namespace intact::sign {

/// Why a manifest is taken for the image that the user wants.
enum class Basis {
  none,       ///< --insecure-unsigned: there is no reason
  signature,  ///< of a trusted key
  pin,        ///< its digest was given when it was pulled (`pull --pin`)
  first_use,  ///< it was the first one under its name (`pull --tofu`)
};

/// "none", "signature", "pin", "first-use": as local seals and JSON results have it.
std::string_view to_string(Basis basis);

}  // namespace intact::sign
