#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/dm/line.h>
#include <intact/dm/names.h>

namespace intact::dm {

struct Prober;

/// What a header says of one thing, by the format's own name for it.
struct Fact {
  std::string_view name;  ///< a literal: "data_blocks"
  std::variant<std::uint64_t, std::string> value;
};

/// What was found on a device. Each format has its own type for it, with typed members. All of it
/// is a claim: anyone who can write to the device can write a header.
struct Header {
  Header() = default;
  Header(const Header&) = delete;
  Header& operator=(const Header&) = delete;
  virtual ~Header() = default;

  /// For people and programs, in the order in which they are shown.
  virtual std::vector<Fact> facts() const = 0;

  std::uint64_t offset = 0;  ///< byte of its device at which it begins
  /// How large the device in it is, in bytes; none if the header does not say, or says what no
  /// device can be.
  std::optional<std::uint64_t> content_size = {};
};

/// What the user says about the outermost volume of one format: what must be there, keys, the root
/// hash, files with other parts of it. Each format has its own type for it. What is said counts
/// more than what a header says.
class Credentials {
 public:
  explicit Credentials(const Prober& prober) : prober_(&prober) {}
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  virtual ~Credentials() = default;

  const Prober& prober() const { return *prober_; }
  /// Called if there is no such volume on the device that messages call `name`. malformed, unless
  /// all that was said can be ignored then.
  virtual Result<void> missing(const std::string& name) const = 0;

 private:
  const Prober* prober_;
};

/// A device with unknown content. Its first bytes are read once, for all probers, and only if one
/// asks for them. Not thread-safe.
class Candidate {
 public:
  /// Up to the superblock of btrfs, in bytes.
  static constexpr std::size_t kBeginSize = 65536 + 4096;
  /// The bytes that the file system takes which begins so.
  using SizeOf = std::optional<std::uint64_t> (*)(ByteSpan begin);

  explicit Candidate(std::shared_ptr<block::Device> device, SizeOf size_of = nullptr)
      : device_(std::move(device)), size_of_(size_of) {}
  /// Another device that is to be probed in the same way.
  Candidate other(std::shared_ptr<block::Device> device) const {
    return Candidate(std::move(device), size_of_);
  }

  const std::shared_ptr<block::Device>& device() const { return device_; }
  /// The first kBeginSize bytes, or all of a shorter device. Errors of the read.
  Result<ByteSpan> begin();
  /// Reads from what is known of the beginning where it can. False if the range is not on the
  /// device.
  Result<bool> read(std::uint64_t offset, MutableByteSpan out);
  /// The bytes that the file system at the beginning takes; none without one.
  Result<std::optional<std::uint64_t>> file_system_size();

 private:
  std::shared_ptr<block::Device> device_;
  SizeOf size_of_;
  std::optional<Bytes> begin_;
};

/// What is needed to make tables for a volume that was found.
struct Planning {
  const Header& header;                  ///< of the prober's own type
  std::shared_ptr<block::Device> below;  ///< what it was found on, open for reading
  std::string word;                      ///< for `below`, in lines
  std::size_t tables;                    ///< below it; the first one made is dm:TABLES+1
  Names& names;                          ///< for the words of other files and of keys
  const Credentials* said;               ///< of the prober's own type; null: nothing was said
  std::string name;                      ///< what messages call it: "disk.img, layer 2"
  std::string place;                     ///< the same by what is around: "disk.img (in dm-verity)"
};

/// The tables of a volume, the lowest first; their names are given by the caller.
struct Step {
  std::vector<Table> tables;
  std::optional<Error> doubt = {};         ///< why it may be read, but not written
  std::vector<std::string> warnings = {};  ///< about what is trusted because the user said so
};

/// The content of a volume as it can be seen without keys, not verified.
struct Sight {
  std::shared_ptr<block::Device> content = {};  ///< null: it cannot be seen
  std::vector<Fact> facts = {};                 ///< beyond those of the header
};

/// A format with a header by which it is found. Each is a constant in the folder of its format and
/// one in the list in stack/probers.
struct Prober {
  std::string_view name;   ///< in JSON and commands: "verity"
  std::string_view title;  ///< for people: "dm-verity"
  /// Why a volume within another of this format is refused; empty: it is not.
  std::string_view nested_refusal = {};
  /// None can be opened if the user says nothing about it.
  bool needs_credentials = false;

  /// Null: not this format. `said`: about the outermost volume of this format, null if nothing was
  /// said or that volume was found already. Errors of reads.
  Result<std::shared_ptr<const Header>> (*probe)(Candidate& candidate, const Credentials* said);
  /// invalid_argument, with what to pass, if the user must say more; other errors of the format.
  Result<Step> (*plan)(const Planning& planning);
  /// Nothing in the header is verified by then.
  Sight (*look_into)(const Header& header, const std::shared_ptr<block::Device>& device);
};

}  // namespace intact::dm
