#include <limits>
#include <optional>
#include <string>

#include <intact/base/text.h>
#include <intact/oci/tree_tar.h>

namespace intact::oci {
namespace {

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto id = whole_number<std::uint32_t>(text);
  return id != std::numeric_limits<std::uint32_t>::max() ? id : std::nullopt;
}

}  // namespace

Result<Owner> parse_owner(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto uid = parse_id(text.substr(0, colon));
  const auto gid = colon == std::string_view::npos ? uid : parse_id(text.substr(colon + 1));
  if (!uid || !gid)
    return Error(
        ErrorKind::invalid_argument,
        std::string(text) + ": not an owner; give UID or UID:GID as numbers from 0 to 4294967294");
  return Owner{*uid, *gid};
}

}  // namespace intact::oci
