#include <bit>
#include <optional>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/crypt/sector_crypt.h>

namespace intact::crypt {
namespace {

constexpr std::size_t kMaxName = 127;  // of the kernel's crypto API
constexpr std::string_view kCapi = "capi:";

Error invalid(std::string_view why, std::string_view text) {
  return Error(ErrorKind::invalid_argument, fmt::format("{}: '{}'", why, text));
}

/// What is before the first `separator`, which leaves `rest` with it; nullopt: nothing was left.
std::optional<std::string_view> cut(std::optional<std::string_view>& rest, char separator) {
  if (!rest) return std::nullopt;
  const std::string_view whole = *rest;
  const std::size_t at = whole.find(separator);
  rest = at == whole.npos ? std::nullopt : std::optional(whole.substr(at + 1));
  return whole.substr(0, at);
}

Result<CipherSpec> parse_capi(std::string_view text) {
  CipherSpec spec{.text = std::string(text)};
  std::string_view name = text.substr(kCapi.size());
  // From the end, for the name of a hash may contain a hyphen.
  if (const std::size_t colon = name.rfind(':'); colon != name.npos) {
    spec.iv_options = name.substr(colon + 1);
    name = name.substr(0, colon);
  }
  if (const std::size_t hyphen = name.rfind('-'); hyphen != name.npos) {
    spec.iv = name.substr(hyphen + 1);
    name = name.substr(0, hyphen);
  }
  spec.cipher = name;
  if (spec.iv == "lmk") spec.key_count = 64;
  return spec;
}

Result<CipherSpec> parse_classic(std::string_view text) {
  CipherSpec spec{.text = std::string(text)};
  if (text.find('(') != text.npos)
    return invalid("Bad cipher specification: the crypto API's names follow 'capi:'", text);
  std::optional<std::string_view> rest = text;
  std::optional<std::string_view> count = cut(rest, '-');
  const std::string_view cipher = *cut(count, ':');
  if (count) {
    const auto number = whole_number<std::uint32_t>(*count);
    if (!number || !std::has_single_bit(*number))
      return invalid("Bad cipher key count specification: not a power of two", text);
    spec.key_count = *number;
  }
  auto mode = cut(rest, '-');
  auto iv = cut(rest, ':');
  spec.iv_options = rest.value_or("");
  // As the first dm-crypt had it.
  if (!mode || (*mode == "plain" && !iv)) {
    mode = "cbc";
    iv = "plain";
  }
  if (*mode != "ecb" && !iv) return invalid("IV mechanism required", text);
  spec.cipher = fmt::format("{}({})", *mode, cipher);
  spec.iv = iv.value_or("");
  return spec;
}

}  // namespace

Result<CipherSpec> CipherSpec::parse(std::string_view text) {
  auto spec = TRY(text.starts_with(kCapi) ? parse_capi(text) : parse_classic(text));
  if (spec.iv == "essiv" && spec.iv_options.empty())
    return invalid("Digest algorithm missing for ESSIV mode", text);
  if (spec.cipher.empty() || spec.cipher.size() > kMaxName)
    return invalid("Bad cipher specification", text);
  return spec;
}

}  // namespace intact::crypt
