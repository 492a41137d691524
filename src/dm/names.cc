#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>
#include <intact/dm/names.h>

#include "key_reference.h"

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

/// The descriptor of "fd:N" that this process has inherited; exec closes it from now on.
Result<UniqueFd> claim(std::string_view word) {
  const auto number =
      word.starts_with(kFile) ? whole_number(word.substr(kFile.size())) : std::nullopt;
  if (!number || *number < Names::kFirstDescriptor || *number > kMaxDescriptor ||
      ::fcntl(static_cast<int>(*number), F_SETFD, FD_CLOEXEC) != 0)
    return unknown(word, "an inherited descriptor");
  return UniqueFd(static_cast<int>(*number));
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

Result<Key> Names::read_descriptor(int number) {
  if (const auto found = read_.find(number); found != read_.end()) return found->second;
  auto key =
      std::make_shared<const crypto::Secret>(TRY(crypto::Secret::read_from(number, kMaxKeySize)));
  return read_.emplace(number, std::move(key)).first->second;
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
  if (!claims_ && word.starts_with("fd:")) return unknown(word, "a device");
  if (!claims_)
    return unknown(word, "a device; write an absolute path (/...), MAJOR:MINOR, fd:N or dm:NAME");
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
  if (!claims_ || parsed->type != "fd") return unknown(reference, "a key");
  const UniqueFd reader = TRY(claim(fmt::format("{}{}", kFile, parsed->name)));
  Key key = std::make_shared<const crypto::Secret>(
      TRY(crypto::Secret::read_from(reader.get(), kMaxKeySize).context("a key in a pipe")));
  if (key->size() != parsed->size)
    return Error(ErrorKind::malformed,
                 fmt::format("a key in a pipe: has {} bytes, not {}", key->size(), parsed->size));
  keys_.emplace(reference, NamedKey{key, {}, {}});
  return key;
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
