#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/dm/names.h>

namespace intact::dm {
namespace {

constexpr int kMaxDescriptor = 1 << 20;
constexpr std::string_view kFile = "fd:";
constexpr std::string_view kDevice = "dm:";

Error cannot_pass_on(int code) {
  return Error::from_errno("cannot pass on a descriptor", code);
}

Error unknown(std::string_view word, const char* expected) {
  return {ErrorKind::invalid_argument, fmt::format("{} does not name {}", quoted(word), expected)};
}

/// A copy with a number that no other use of descriptors needs.
Result<UniqueFd> high_copy(int fd) {
  UniqueFd high(::fcntl(fd, F_DUPFD_CLOEXEC, Names::kFirstDescriptor));
  if (!high) return cannot_pass_on(errno);
  return high;
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The descriptor of "fd:N" that this process has inherited; exec closes it from now on.
Result<UniqueFd> claim(std::string_view word) {
  const auto number = word.starts_with(kFile) ? to_number(word.substr(kFile.size())) : std::nullopt;
  if (!number || *number < Names::kFirstDescriptor || *number > kMaxDescriptor ||
      ::fcntl(static_cast<int>(*number), F_SETFD, FD_CLOEXEC) != 0)
    return unknown(word, "an inherited descriptor");
  return UniqueFd(static_cast<int>(*number));
}

struct KeyReference {
  std::uint64_t size;
  std::string_view place;  // "fd:N"
};
std::optional<KeyReference> parse_key_reference(std::string_view word) {
  if (!word.starts_with(':')) return std::nullopt;
  const std::size_t colon = word.find(':', 1);
  if (colon == std::string_view::npos) return std::nullopt;
  const auto size = to_number(word.substr(1, colon - 1));
  if (!size) return std::nullopt;
  return KeyReference{.size = *size, .place = word.substr(colon + 1)};
}

}  // namespace

Names Names::of_inherited_descriptors() {
  Names names;
  names.claims_ = true;
  return names;
}

Result<std::string> Names::add(const File& file) {
  for (const auto& [word, named] : files_)
    if (named.file == file) return word;
  // Not a copy of the file's descriptor, which would keep its lock when it is opened for writing.
  const UniqueFd nothing(::eventfd(0, EFD_CLOEXEC));
  if (!nothing) return cannot_pass_on(errno);
  UniqueFd place = TRY(high_copy(nothing.get()));
  const std::string word = fmt::format("{}{}", kFile, place.get());
  files_.emplace(word, NamedFile{file, std::move(place)});
  return word;
}

Result<std::string> Names::add(const Key& key) {
  for (const auto& [word, named] : keys_)
    if (named.key == key) return word;
  if (key->size() > kMaxKeySize)
    return Error(ErrorKind::limit, "a key is too large to be passed to another process");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Error::from_errno("pipe", errno);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  UniqueFd place = TRY(high_copy(reader.get()));
  const std::string word = fmt::format(":{}:{}{}", key->size(), kFile, place.get());
  keys_.emplace(word, NamedKey{key, std::move(place), std::move(writer)});
  return word;
}

void Names::add_device(const std::string& name, std::shared_ptr<block::Device> device) {
  devices_.insert_or_assign(name, std::move(device));
}

Result<std::shared_ptr<block::Device>> Names::device(std::string_view word) {
  if (word.starts_with(kDevice)) {
    const auto found = devices_.find(word.substr(kDevice.size()));
    if (found == devices_.end()) return unknown(word, "the device of an earlier table");
    return found->second;
  }
  return std::shared_ptr<block::Device>(TRY(file(word)));
}

Result<File> Names::file(std::string_view word) {
  const auto found = files_.find(word);
  if (found != files_.end()) return found->second.file;
  if (!claims_) return unknown(word, "a device");
  UniqueFd fd = TRY(claim(word));
  const bool writes = (::fcntl(fd.get(), F_GETFL) & O_ACCMODE) == O_RDWR;
  File file = TRY(block::FileDevice::create(
      std::move(fd), writes ? block::Access::read_write : block::Access::read_only));
  files_.emplace(word, NamedFile{file, {}});
  return file;
}

Result<Key> Names::key(std::string_view reference) {
  const auto found = keys_.find(reference);
  if (found != keys_.end()) return found->second.key;
  const auto parsed = parse_key_reference(reference);
  // Without the text: it may be a key.
  if (!parsed)
    return Error(ErrorKind::invalid_argument,
                 "a key must be passed by reference, as :SIZE:fd:NUMBER");
  if (!claims_) return unknown(reference, "a key");
  const UniqueFd reader = TRY(claim(parsed->place));
  Key key = std::make_shared<const crypto::Secret>(
      TRY(crypto::Secret::read_from(reader.get(), kMaxKeySize).context("a key in a pipe")));
  if (key->size() != parsed->size)
    return Error(ErrorKind::malformed,
                 fmt::format("a key in a pipe: has {} bytes, not {}", key->size(), parsed->size));
  keys_.emplace(reference, NamedKey{key, {}, {}});
  return key;
}

Result<void> use_own_names(Line& line, Names& names, const FileOpener& open) {
  for (std::string& word : line.arguments) {
    // What follows the name of an option, as in meta_device:/dev/sdb.
    const std::size_t path = word.starts_with('/') ? 0 : word.find(":/") + 1;
    if (word.starts_with('/') || path != 0) {
      const File file = TRY(open(word.substr(path)));
      word.replace(path, std::string::npos, TRY(names.add(file)));
      continue;
    }
    const std::size_t place = word.rfind(":fd:");
    if (place == std::string::npos || place == 0) continue;
    const std::size_t begin = word.rfind(':', place - 1);
    if (begin == std::string::npos) continue;
    const auto reference = parse_key_reference(std::string_view(word).substr(begin));
    const auto number = to_number(std::string_view(word).substr(place + 4));
    if (!reference || !number || *number > kMaxDescriptor) continue;
    Key key = std::make_shared<const crypto::Secret>(
        TRY(crypto::Secret::read_from(static_cast<int>(*number), Names::kMaxKeySize)
                .context(fmt::format("key from descriptor {}", *number))));
    if (key->size() != reference->size)
      return Error(ErrorKind::bad_secret,
                   fmt::format("key from descriptor {}: has {} bytes, not {}", *number, key->size(),
                               reference->size));
    word.replace(begin, std::string::npos, TRY(names.add(key)));
  }
  return {};
}

Result<std::vector<int>> Names::pass_on() {
  std::vector<int> numbers;
  for (const auto& [word, named] : files_) {
    // The file may have been opened for writing since.
    if (::dup3(named.file->fd(), named.place.get(), O_CLOEXEC) < 0) return cannot_pass_on(errno);
    numbers.push_back(named.place.get());
  }
  for (auto& [word, named] : keys_) {
    TRY(write_all(named.writer.get(), named.key->expose()).context("cannot pass on a key"));
    named.writer.reset();
    numbers.push_back(named.place.get());
  }
  return numbers;
}

}  // namespace intact::dm
