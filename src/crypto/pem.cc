#include <algorithm>

#include <intact/crypto/base64.h>
#include <intact/crypto/pem.h>

namespace intact::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
constexpr std::size_t kLineLength = 64;
constexpr std::size_t kMaxLabelLength = 64;

/// Takes the first line off `text`, without its line end and white space behind it.
std::string_view next_line(std::string_view& text) {
  const std::size_t newline = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, newline);
  text.remove_prefix(std::min(newline + 1, text.size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line;
}

/// The label of a boundary line; empty if it is none. A label is short and of capitals, so that it
/// may stand in messages.
std::string_view label_of(std::string_view line, std::string_view start) {
  if (!line.starts_with(start) || !line.ends_with(kDashes) ||
      line.size() < start.size() + kDashes.size())
    return {};
  const std::string_view label =
      line.substr(start.size(), line.size() - start.size() - kDashes.size());
  const bool plain = std::ranges::all_of(
      label, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' '; });
  return plain && label.size() <= kMaxLabelLength ? label : std::string_view();
}

}  // namespace

Result<std::vector<PemBlock>> parse_pem(std::string_view text) {
  if (text.size() > kMaxPemSize) return Error(ErrorKind::limit, "PEM text is too large for a key");
  std::vector<PemBlock> blocks;
  while (!text.empty()) {
    const std::string label(label_of(next_line(text), kBegin));
    if (label.empty()) continue;
    if (blocks.size() == kMaxPemBlocks) return Error(ErrorKind::limit, "too many PEM blocks");

    // The base64 text of a private key is as secret as the key.
    Secret joined(text.size());
    std::size_t size = 0;
    for (;;) {
      if (text.empty()) return Error(ErrorKind::malformed, "PEM: " + label + " has no end line");
      const std::string_view line = next_line(text);
      if (line.starts_with(kEnd)) {
        if (label_of(line, kEnd) != label)
          return Error(ErrorKind::malformed, "PEM: " + label + " ends as something else");
        break;
      }
      if (line.find(':') != std::string_view::npos)
        return Error(
            ErrorKind::unsupported,
            "PEM: " + label +
                " has headers, so it is encrypted in the old OpenSSL form; convert it with "
                "`openssl pkcs8 -topk8`");
      std::ranges::copy(as_bytes(line),
                        joined.expose().begin() + static_cast<std::ptrdiff_t>(size));
      size += line.size();
    }
    blocks.push_back(
        {label,
         TRY(decode_base64_secret(joined.expose_text().substr(0, size)).context("PEM: " + label))});
  }
  if (blocks.empty()) return Error(ErrorKind::malformed, "not a PEM file");
  return blocks;
}

std::string encode_pem(std::string_view label, ByteSpan body) {
  std::string text = std::string(kBegin).append(label).append(kDashes).append("\n");
  const std::string base64 = encode_base64(body);
  for (std::size_t i = 0; i < base64.size(); i += kLineLength)
    text.append(base64, i, kLineLength).append("\n");
  return text.append(kEnd).append(label).append(kDashes).append("\n");
}

}  // namespace intact::crypto
