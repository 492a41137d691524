#include <filesystem>

#include <intact/base/text.h>
#include <intact/run/options.h>

namespace intact::run {
namespace {

bool is_number(std::string_view text, int base) {
  return whole_number<std::uint32_t>(text, base).has_value();
}

/// A share of memory, such as "50%".
bool is_share(std::string_view value) {
  return value.ends_with('%') && is_number(value.substr(0, value.size() - 1), 10);
}

}  // namespace

Result<Tmpfs> parse_tmpfs(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::invalid_argument, "--tmpfs " + std::string(text) + ": " + why);
  };
  const auto colon = text.find(':');
  const std::string_view destination = text.substr(0, colon);
  if (!destination.starts_with('/') || destination.find('\0') != std::string_view::npos)
    return refuse("the destination must be an absolute path");
  Tmpfs out;
  out.destination = std::filesystem::path(destination).lexically_normal().string();
  if (out.destination.size() > 1 && out.destination.back() == '/') out.destination.pop_back();
  if (out.destination == "/") return refuse("the destination may not be /");

  bool exec = false, read_only = false;
  std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  while (!rest.empty()) {
    const std::string_view option = take_until(rest, ',');
    std::string_view value = option;
    const std::string_view name = take_until(value, '=');
    if (option == "exec" || option == "noexec") {
      exec = option == "exec";
    } else if (option == "ro" || option == "rw") {
      read_only = option == "ro";
    } else if (option == "tmpcopyup" || option == "notmpcopyup") {
      out.copy_up = option == "tmpcopyup";
    } else if (name == "size" && !is_share(value)) {
      const auto bytes = parse_bytes("size", value);
      if (!bytes) return refuse(bytes.error().message());
      out.options.push_back("size=" + std::to_string(*bytes));
    } else if (name == "size" || (name == "mode" && is_number(value, 8) && value.size() <= 5) ||
               ((name == "uid" || name == "gid" || name == "nr_inodes") && is_number(value, 10))) {
      out.options.emplace_back(option);
    } else if (option != "nosuid" && option != "nodev" && option != "rprivate" &&
               option != "private") {
      return refuse("unknown option \"" + std::string(option) + "\"");
    }
  }
  if (!exec) out.options.emplace_back("noexec");
  if (read_only) out.options.emplace_back("ro");
  return out;
}

}  // namespace intact::run
