#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include <intact/oci/tree_tar.h>

namespace intact::oci {
namespace {

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() ||
      id == std::numeric_limits<std::uint32_t>::max())
    return std::nullopt;
  return id;
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
