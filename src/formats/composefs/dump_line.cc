#include "dump_line.h"

#include <array>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/erofs/format.h>

#include "dump_escape.h"
#include "format.h"
#include "layout.h"

namespace intact::composefs {
namespace {

enum Field { kPath, kSize, kMode, kNlink, kUid, kGid, kRdev, kMtime, kPayload, kContent, kDigest };
constexpr std::array<std::string_view, 11> kFieldNames = {
    "PATH", "SIZE", "MODE", "NLINK", "UID", "GID", "RDEV", "MTIME", "PAYLOAD", "CONTENT", "DIGEST"};

Error malformed(std::string_view what) {
  return Error(ErrorKind::malformed, std::string(what));
}

Error over_limit(std::string_view what) {
  return Error(ErrorKind::limit, std::string(what));
}

/// The fixed fields of a line, then what follows them.
struct Fields {
  std::array<std::string_view, kFieldNames.size()> text;
  std::size_t count = 0;  ///< that are there
  std::string_view xattrs;

  std::string_view operator[](Field field) const { return text[field]; }
};

/// Cuts at the next space; all of it when there is none.
std::string_view next_part(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

Fields split(std::string_view line) {
  Fields fields;
  // A line that ends with a space has no further field: C's tools see it so, too.
  while (fields.count < kFieldNames.size() && !line.empty())
    fields.text[fields.count++] = next_part(line);
  fields.xattrs = line;
  return fields;
}

Result<std::uint64_t> parse_number(std::string_view text, int base) {
  if (const auto value = whole_number(text, base)) return *value;
  return malformed(fmt::format("'{}' is not a number", text));
}

Result<std::uint64_t> number_field(const Fields& fields, Field field, int base = 10) {
  return parse_number(fields[field], base).context(kFieldNames[field]);
}

Result<tree::Timestamp> parse_time(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return malformed(fmt::format("'{}' is not a time", text));
  std::string_view seconds = text.substr(0, dot);
  const bool negative = seconds.starts_with('-');
  if (negative) seconds.remove_prefix(1);
  // Beyond the signed range numbers wrap: that is how some tools write times before 1970.
  const std::uint64_t magnitude = TRY(parse_number(seconds, 10));
  const std::uint64_t nanoseconds = TRY(parse_number(text.substr(dot + 1), 10));
  if (nanoseconds >= 1'000'000'000)
    return malformed(fmt::format("{} nanoseconds are out of range", nanoseconds));
  return tree::Timestamp{static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude),
                         static_cast<std::uint32_t>(nanoseconds)};
}

/// "-" is nothing, which is an empty string here.
Result<std::string> optional_string(const Fields& fields, Field field) {
  if (fields[field] == "-") return std::string();
  return unescape_string(fields[field]).context(kFieldNames[field]);
}

Result<void> parse_xattr(std::string_view text, tree::Inode& inode, std::size_t& total) {
  const std::size_t equal = text.find('=');
  if (equal == std::string_view::npos)
    return malformed(fmt::format("'{}' is not NAME=VALUE", text));
  const std::string name = TRY(unescape_string(text.substr(0, equal)));
  const std::string value = TRY(unescape(text.substr(equal + 1)));
  if (name.empty()) return malformed("extended attribute without a name");
  if (name.size() > kXattrNameMax)
    return over_limit(fmt::format("an extended attribute name has {} bytes, the maximum is {}",
                                  name.size(), kXattrNameMax));
  if (value.size() > kXattrValueMax)
    return over_limit(fmt::format("value of extended attribute {} has {} bytes, the maximum is {}",
                                  name, value.size(), kXattrValueMax));
  if (const tree::Xattr* old = inode.find_xattr(name))
    total -= kXattrTotalEach + name.size() + old->value.size();
  total += kXattrTotalEach + name.size() + value.size();
  if (total > kXattrTotalMax)
    return over_limit(
        fmt::format("the extended attributes add up to {} bytes, at most {} "
                    "are possible",
                    total, kXattrTotalMax));
  inode.set_xattr(name, value);
  return {};
}

Result<void> parse_xattrs(std::string_view text, tree::Inode& inode) {
  // Looking each name up among the others takes time that grows with the square of their number.
  if (text.size() > UINT16_MAX)
    return over_limit(fmt::format("{} bytes of extended attributes in a line, the maximum is {}",
                                  text.size(), UINT16_MAX));
  std::size_t total = kXattrTotalBase;
  while (!text.empty()) TRY(parse_xattr(next_part(text), inode, total));
  return {};
}

Result<void> parse_attributes(const Fields& fields, tree::Attributes& attributes) {
  attributes.size = TRY(number_field(fields, kSize));
  attributes.nlink = static_cast<std::uint32_t>(TRY(number_field(fields, kNlink)));
  attributes.uid = static_cast<std::uint32_t>(TRY(number_field(fields, kUid)));
  attributes.gid = static_cast<std::uint32_t>(TRY(number_field(fields, kGid)));
  attributes.rdev = static_cast<std::uint32_t>(TRY(number_field(fields, kRdev)));
  attributes.mtime = TRY(parse_time(fields[kMtime]).context(kFieldNames[kMtime]));
  return {};
}

Result<std::string> parse_content(std::string_view text, std::uint64_t size) {
  if (text == "-") return std::string();
  std::string content = TRY(unescape(text).context("CONTENT"));
  if (content.size() != size)
    return malformed(fmt::format("CONTENT of {} bytes in a file of {}", content.size(), size));
  return content;
}

Result<std::optional<Digest>> parse_digest(std::string_view text, const tree::Inode& inode) {
  if (text == "-" || (text.empty() && !inode.attributes.is_regular())) return std::nullopt;
  const std::string hex = TRY(unescape_string(text).context("DIGEST"));
  const auto digest = Digest::parse_hex(hex);
  if (!digest || digest->algorithm() != HashAlgorithm::sha256)
    return malformed(fmt::format("DIGEST is not a hex SHA-256 digest: '{}'", text));
  return *digest;
}

Result<void> parse_symlink(tree::Inode& inode, std::string_view content, bool strict) {
  if (inode.payload.empty()) return malformed("symlink without a target");
  if (strict && inode.attributes.size != inode.payload.size())
    return malformed(fmt::format("symlink of size {} with a target of {} bytes",
                                 inode.attributes.size, inode.payload.size()));
  if (strict && !content.empty()) return malformed("symlink with content");
  inode.attributes.size = inode.payload.size();
  return {};
}

Result<void> parse_regular(tree::Inode& inode, std::string content) {
  if (content.size() > kContentMax)
    return over_limit(
        fmt::format("inline content of {} bytes, the maximum is {}", content.size(), kContentMax));
  inode.content = std::move(content);
  if (inode.attributes.size > 0 && inode.content.empty() &&
      chunk_count(inode.attributes.size) > kChunksMax)
    return over_limit(fmt::format("file of {} bytes is too big", inode.attributes.size));
  return {};
}

}  // namespace

Result<DumpLine> parse_dump_line(std::string_view text, bool strict) {
  if (text.find('\0') != std::string_view::npos) return malformed("NUL in the line");
  const Fields fields = split(text);
  DumpLine line;
  line.path = TRY(unescape_string(fields[kPath]).context("PATH"));
  if (!line.path.starts_with('/'))
    return malformed(fmt::format("'{}' is not an absolute path", fields[kPath]));

  std::string_view mode_text = fields[kMode];
  if (mode_text.starts_with('@')) {
    line.hard_link = true;
    mode_text.remove_prefix(1);
  }
  tree::Inode& inode = line.inode;
  tree::Attributes& attributes = inode.attributes;
  const std::uint64_t mode = TRY(parse_number(mode_text, 8).context("MODE"));
  attributes.mode = static_cast<std::uint32_t>(mode & 0177777);  // what an image can hold
  if (erofs::file_type_of(attributes.mode) == erofs::FileType::unknown)
    return malformed(fmt::format("impossible file type (mode {:o})", mode));

  if (line.hard_link) {
    if (attributes.is_directory()) return malformed("directories cannot be hard-linked");
    line.link_target = TRY(optional_string(fields, kPayload));
    if (!line.link_target.starts_with('/'))
      return malformed("hard link whose target is not an absolute path");
    return line;
  }

  // Lines cut within the last fields are accepted elsewhere, too: those are empty.
  const std::size_t needed = strict ? kFieldNames.size() : std::size_t{kContent};
  if (fields.count < needed)
    return malformed(fmt::format("{} is missing", kFieldNames[fields.count]));
  TRY(parse_attributes(fields, attributes));
  if (!attributes.is_device()) {
    if (strict && attributes.rdev != 0)
      return malformed("device number for a file that is not a device");
    attributes.rdev = 0;
  }
  inode.payload = TRY(optional_string(fields, kPayload));
  if (inode.payload.size() > kPayloadMax)
    return over_limit(
        fmt::format("PAYLOAD of {} bytes, the maximum is {}", inode.payload.size(), kPayloadMax));
  std::string content = TRY(parse_content(fields[kContent], attributes.size));
  if (attributes.is_symlink())
    TRY(parse_symlink(inode, content, strict));
  else if (attributes.is_regular())
    TRY(parse_regular(inode, std::move(content)));
  inode.digest = TRY(parse_digest(fields[kDigest], inode));
  TRY(parse_xattrs(fields.xattrs, inode));
  return line;
}

}  // namespace intact::composefs
