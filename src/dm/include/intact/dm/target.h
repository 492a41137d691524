#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/block/storage.h>
#include <intact/crypto/secret.h>
#include <intact/dm/line.h>
#include <intact/dm/names.h>

namespace intact::dm {

/// Which parts of which devices the lines of a stack write to. Two lines that wrote to the same
/// place would destroy what the other one has there: a journal, tags, a superblock. Not
/// thread-safe.
class Claims {
 public:
  /// What is claimed from now on is claimed by another line.
  void begin_line() { ++line_; }

  /// Claims a part of a device for writing; offset and length in bytes. A line may claim a part
  /// several times. busy: another line has claimed some of it, and `writes_now`; without that it is
  /// noted for check(). Files and block devices are the same place if their bytes are, whatever
  /// their names (block/storage.h); other devices are told apart by their address, and must exist
  /// as long as this does.
  Result<void> add(const block::Device& device, std::uint64_t offset, std::uint64_t length,
                   bool writes_now);
  /// To be called before lines that were opened for reading begin to write, once the files are open
  /// for writing and if no line makes what is above it read-only. busy: two lines have claimed a
  /// place that can be written.
  Result<void> check() const;

 private:
  struct Conflict {
    const block::Device* device;
    Error error;
  };
  struct Claim {
    const block::Device* device;
    std::uint64_t begin, end;
    std::size_t line;
    std::vector<block::StorageRange> storage;  ///< of a file or block device, in whole pages
  };
  static Result<std::vector<block::StorageRange>> storage(const block::Device& device,
                                                          std::uint64_t offset,
                                                          std::uint64_t length);
  std::size_t line_ = 0;
  std::vector<Claim> claims_;
  std::vector<Conflict> conflicts_;  ///< of claims that write later
};

/// Callbacks of open devices. Called by reading threads, by several at once.
struct Events {
  std::function<void(std::string_view line)> log = {};  ///< one line about damage
  std::function<void()> stop = {};                      ///< damage was found; all later reads fail
};

struct Header;

/// How a line is opened.
struct Opening {
  std::string name = {};  ///< what the log calls the device
  Events events = {};
  bool read_only = false;   ///< write nothing, whatever the devices below allow
  bool for_kernel = false;  ///< only to check what the kernel is about to open
  /// Somebody else is about to open the same for writing: the kernel, or another process.
  bool for_other_writer = false;
  /// What a prober, perhaps of another format, has read of the device below. A target need not read
  /// it again: what was probed is what is opened. Null: nothing.
  const Header* header = nullptr;
  /// Of the stack that the line is in; null: the line is alone, or never written.
  Claims* claims = nullptr;

  /// Whether the line is opened for writing, here or next by somebody else, as far as its caller
  /// decides.
  bool may_be_written() const { return !read_only || for_other_writer; }
  /// To be called for each part of a device below to which the line writes, or would write if it
  /// were opened for writing, before anything is written. busy: another line writes there.
  Result<void> claim(const block::Device& device, std::uint64_t offset, std::uint64_t length) const;
};

/// What the kernel needs beside a line: its names for devices.
using KernelName = std::function<Result<std::string>(std::string_view word)>;

/// A kind of line. Each is a constant in a folder of its own and one of the list in stack/targets.
struct Target {
  /// The kernel's name where it has this target: the third word of a line.
  std::string_view name;
  /// False: the device is read-only whatever is below it, and nothing below it is written.
  bool writable = true;
  /// The kernel opens it only on devices that it may write to.
  bool kernel_writes = false;

  /// Opens a line. Everything it uses comes from `names`. invalid_argument: arguments that are not
  /// those of this target, with the word; otherwise errors of the format.
  Result<std::shared_ptr<block::Device>> (*open)(const Line& line, Names& names,
                                                 const Opening& opening);

  /// The arguments for the kernel, keys included: made from a device that was opened from the same
  /// line, read-only, so that the kernel is told what was checked. unsupported: what the kernel
  /// cannot do, or would believe without a check. Null: the kernel lacks this target.
  Result<crypto::Secret> (*kernel_arguments)(const Line& line, Names& names,
                                             const block::Device& opened,
                                             const KernelName& kernel_name) = nullptr;

  /// What it says about a device of this format that the kernel refuses a table with this errno.
  /// Nothing: no more than for any other target. Null: never more.
  std::optional<Error> (*kernel_refusal)(int code) = nullptr;
};

/// Takes two arguments, DEVICE START: `sectors` sectors of that device from sector START on, as
/// dm-linear and others have them, and claims them.
Result<std::shared_ptr<block::Device>> part_of_device(Arguments& arguments, std::uint64_t sectors,
                                                      Names& names, const Opening& opening);

/// Target::kernel_arguments for targets whose arguments are the kernel's but for the names of the
/// devices, which are the arguments at `kDevices` (from 0 on) where there are that many.
Result<crypto::Secret> with_kernel_names(const Line& line, const KernelName& kernel_name,
                                         std::initializer_list<std::size_t> devices);
template <std::size_t... kDevices>
Result<crypto::Secret> with_kernel_names(const Line& line, Names&, const block::Device&,
                                         const KernelName& kernel_name) {
  return with_kernel_names(line, kernel_name, {kDevices...});
}

}  // namespace intact::dm
