#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/block/device.h>
#include <intact/block/file_device.h>
#include <intact/crypto/secret.h>
#include <intact/dm/line.h>

namespace intact::dm {

/// A file or block device at the bottom. One that is used in several places is the same object in
/// all of them.
using File = std::shared_ptr<block::FileDevice>;
using Key = std::shared_ptr<const crypto::Secret>;

/// What the words of lines stand for:
///
///     fd:N          a file
///     dm:NAME       the device of another table
///     :SIZE:fd:N    a key of SIZE bytes
///
/// The numbers are those of descriptors, from kFirstDescriptor on, that this object keeps free for
/// another process: it is given the same lines, and opens what it has inherited under the same
/// numbers. Not thread-safe.
class Names {
 public:
  static constexpr int kFirstDescriptor = 10;
  /// The most that a pipe holds by default, in bytes.
  static constexpr std::size_t kMaxKeySize = 65536;

  /// For lines that are made here.
  Names() = default;
  /// For lines that another process has made: takes ownership of the descriptors that are asked
  /// for.
  static Names of_inherited_descriptors();

  /// The word for a file. The same file always has the same word. io: no descriptor is left.
  Result<std::string> add(const File& file);
  /// The word for a key. limit: larger than kMaxKeySize.
  Result<std::string> add(const Key& key);
  /// What can be read from a descriptor of this process, as a key. It is read once, however many
  /// lines name it. limit: larger than kMaxKeySize.
  Result<Key> read_descriptor(int number);
  /// Makes dm:NAME known.
  void add_device(const std::string& name, std::shared_ptr<block::Device> device);

  /// What a word stands for. invalid_argument, with the word, if it stands for nothing.
  Result<std::shared_ptr<block::Device>> device(std::string_view word);
  /// The same if it has to be a file.
  Result<File> file(std::string_view word);
  Result<Key> key(std::string_view reference);

  /// Makes the descriptors ready to be inherited: those of the files as they are open now, and
  /// pipes with the keys, since a pipe is never swapped out and is empty once it was read. Returns
  /// their numbers. They are marked close-on-exec, so that no other program sees them: clear that
  /// right before the exec that passes them on. Only once.
  Result<std::vector<int>> pass_on();

 private:
  struct NamedFile {
    File file;
    UniqueFd place;  ///< keeps the number free
  };
  struct NamedKey {
    Key key;
    UniqueFd place;   ///< the end of a pipe to read from
    UniqueFd writer;  ///< of that pipe
  };
  bool claims_ = false;
  std::map<int, Key> read_;  ///< by descriptor
  std::map<std::string, NamedFile, std::less<>> files_;
  std::map<std::string, NamedKey, std::less<>> keys_;
  std::map<std::string, std::shared_ptr<block::Device>, std::less<>> devices_;
};

/// Opens the file at a path.
using FileOpener = std::function<Result<File>(const std::string& path)>;

/// For a line that a user wrote: opens the files and block devices among its arguments, or after
/// the colon of an option, reads the keys that it refers to, and puts the words of `names` in their
/// places:
///
///     /path            a file or block device
///     MAJOR:MINOR      a block device by its number, which what was opened must have
///     :SIZE:fd:N       a key that can be read from descriptor N of this process
///     :SIZE:user:NAME  a key in a keyring of this thread, process, session or user
///
/// invalid_argument: not what the word says; not_found: no such device or key; bad_secret: a key
/// has another size than its reference says; unsupported: a key that only the kernel can read.
Result<void> use_own_names(Line& line, Names& names, const FileOpener& open);

}  // namespace intact::dm
