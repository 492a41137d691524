#include <algorithm>
#include <cctype>
#include <cerrno>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <intact/base/file.h>
#include <intact/base/inherited.h>
#include <intact/base/text.h>
#include <intact/dm/names.h>

#include "key_reference.h"
#include "keyring.h"

namespace intact::dm {
namespace {

constexpr std::uint64_t kMaxDescriptor = 1 << 20;
constexpr std::uint64_t kMaxMajor = (1 << 12) - 1;  // as the kernel's dev_t has it
constexpr std::uint64_t kMaxMinor = (1 << 20) - 1;
constexpr std::uint64_t kMaxEvent = 4096;  // bytes

/// The block device MAJOR:MINOR; none if the word is not of this form.
std::optional<dev_t> device_number(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major = whole_number(word.substr(0, colon));
  const auto minor = whole_number(word.substr(colon + 1));
  if (!major || !minor || *major > kMaxMajor || *minor > kMaxMinor) return std::nullopt;
  return makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
}

/// Where udev keeps its name, or where the kernel says that it is.
Result<std::string> path_of(dev_t number) {
  const std::string text = fmt::format("{}:{}", major(number), minor(number));
  std::string path = "/dev/block/" + text;
  struct stat st;
  if (::stat(path.c_str(), &st) == 0) return path;
  const auto event = read_file(fmt::format("/sys/dev/block/{}/uevent", text), kMaxEvent);
  if (!event) return Error(ErrorKind::not_found, text + ": no such block device");
  constexpr std::string_view kName = "DEVNAME=";
  std::string_view rest = as_text(*event);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.starts_with(kName)) return fmt::format("/dev/{}", line.substr(kName.size()));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return Error(ErrorKind::not_found, text + ": a block device without a name");
}

Result<File> open_number(dev_t number, const FileOpener& open) {
  const std::string path = TRY(path_of(number));
  File file = TRY(open(path));
  struct stat st;
  if (::fstat(file->fd(), &st) != 0) return Error::from_errno(path, errno);
  // Whatever the path leads to, it is the number that counts.
  if (!S_ISBLK(st.st_mode) || st.st_rdev != number)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}:{}: {} is another device", major(number), minor(number), path));
  return file;
}

Result<Key> read_key(const KeyReference& reference, Names& names) {
  std::string what;
  const auto checked = [&](Key key) -> Result<Key> {
    if (key->size() == reference.size) return key;
    return Error(ErrorKind::bad_secret,
                 fmt::format("{}: has {} bytes, not {}", what, key->size(), reference.size));
  };
  if (reference.type == "user") {
    what = fmt::format("key {} of type user", quoted(reference.name));
    return checked(std::make_shared<const crypto::Secret>(
        TRY(read_user_key(std::string(reference.name), Names::kMaxKeySize))));
  }
  const auto number = whole_number(reference.name);
  if (!number || *number > kMaxDescriptor)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("key from descriptor {}: not a descriptor", quoted(reference.name)));
  what = fmt::format("key from descriptor {}", *number);
  TRY(check_inherited(static_cast<int>(*number)).context(what));
  return checked(TRY(names.read_descriptor(static_cast<int>(*number)).context(what)));
}

/// The reference to a key with which a word ends, as in internal_hash:hmac(sha256)::32:fd:9.
std::optional<std::size_t> find_key(std::string_view word) {
  for (std::size_t at = word.find(':'); at != std::string_view::npos; at = word.find(':', at + 1)) {
    const auto reference = parse_key_reference(word.substr(at));
    if (!reference) continue;
    for (const char* const type : {"fd", "user", "logon", "encrypted", "trusted", "secret"})
      if (reference->type == type) return at;
  }
  return std::nullopt;
}

/// Where the device in a word begins: at 0, or after the name of an option, as in
/// meta_device:/dev/sdb.
std::optional<std::size_t> find_device(std::string_view word) {
  const auto is_device = [](std::string_view text) {
    return text.starts_with('/') || device_number(text);
  };
  if (is_device(word)) return 0;
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const bool is_option = std::ranges::all_of(
      word.substr(0, colon), [](unsigned char c) { return std::isalpha(c) != 0 || c == '_'; });
  if (!is_option || !is_device(word.substr(colon + 1))) return std::nullopt;
  return colon + 1;
}

}  // namespace

Result<void> use_own_names(Line& line, Names& names, const FileOpener& open) {
  for (std::string& word : line.arguments) {
    if (const auto at = find_device(word)) {
      const std::string device = word.substr(*at);
      const auto number = device_number(device);
      const File file = number ? TRY(open_number(*number, open)) : TRY(open(device));
      word.replace(*at, std::string::npos, TRY(names.add(file)));
      continue;
    }
    const auto at = find_key(word);
    if (!at) continue;
    const KeyReference reference = *parse_key_reference(std::string_view(word).substr(*at));
    if (reference.type == "secret")
      return Error(
          ErrorKind::unsupported,
          fmt::format("key {} of type secret: libvirt has its value (`virsh secret-get-value`), "
                      "which Intact does not ask; pass it by descriptor, as :SIZE:fd:NUMBER",
                      quoted(reference.name)));
    if (reference.type != "fd" && reference.type != "user")
      return Error(
          ErrorKind::unsupported,
          fmt::format("key {} of type {}: only the kernel can read it; add it as type user",
                      quoted(reference.name), reference.type));
    word.replace(*at, std::string::npos, TRY(names.add(TRY(read_key(reference, names)))));
  }
  return {};
}

}  // namespace intact::dm
