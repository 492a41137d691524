#include <cerrno>
#include <map>
#include <ranges>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/kernel/device_mapper.h>
#include <intact/stack/stack.h>

#include "loop_device.h"
#include "lower_mapping.h"

namespace intact::kernel {
namespace {

/// What cryptsetup calls the devices below its own: LVM does not look at them.
constexpr std::string_view kLowerUuid = "CRYPT-SUBDEV-";

std::string number_of(dev_t device) {
  return fmt::format("{}:{}", major(device), minor(device));
}

/// Ends our claim of a block device, which the kernel claims next: puts an open file without a
/// claim in the place of the descriptor.
Result<void> leave_to_kernel(const block::FileDevice& device) {
  const std::string itself = fmt::format("/proc/self/fd/{}", device.fd());
  const UniqueFd unclaimed(::open(itself.c_str(), O_RDWR | O_CLOEXEC));
  if (!unclaimed || ::dup3(unclaimed.get(), device.fd(), O_CLOEXEC) < 0)
    return Error::from_errno("cannot open it again", errno);
  if (::flock(device.fd(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return Error(ErrorKind::busy, "in use by another process");
  return {};
}

/// The kernel's names for what the words of a plan stand for: "MAJOR:MINOR". Loop devices go with
/// this object unless the kernel uses them by then.
class KernelNames {
 public:
  explicit KernelNames(dm::Names& names) : names_(names) {}

  Result<std::string> find(std::string_view word) {
    if (const auto known = numbers_.find(word); known != numbers_.end()) {
      all_writable_ &= known->second.writable;
      return known->second.number;
    }
    const dm::File file = TRY(names_.file(word));
    struct stat st;
    if (::fstat(file->fd(), &st) != 0) return Error::from_errno("fstat", errno);
    if (S_ISBLK(st.st_mode)) {
      if (file->writable()) TRY(leave_to_kernel(*file).context(word));
    } else {
      loops_.push_back(TRY(LoopDevice::attach(file->fd(), file->writable())));
      if (::stat(loops_.back().path().c_str(), &st) != 0)
        return Error::from_errno(loops_.back().path(), errno);
    }
    all_writable_ &= file->writable();
    return numbers_
        .emplace(word, Number{.number = number_of(st.st_rdev), .writable = file->writable()})
        .first->second.number;
  }
  /// Whether all devices that were looked for since the last call can be written to.
  bool take_all_writable() { return std::exchange(all_writable_, true); }
  /// Makes a device that was created known as dm:`name`.
  void add(const std::string& name, dev_t device, bool writable) {
    numbers_.emplace("dm:" + name, Number{.number = number_of(device), .writable = writable});
  }

 private:
  struct Number {
    std::string number;
    bool writable;
  };
  dm::Names& names_;
  bool all_writable_ = true;
  std::map<std::string, Number, std::less<>> numbers_;
  std::vector<LoopDevice> loops_;
};

/// The devices below the requested one.
class LowerDevices {
 public:
  LowerDevices() = default;
  LowerDevices(const LowerDevices&) = delete;
  LowerDevices& operator=(const LowerDevices&) = delete;
  ~LowerDevices() {
    for (const std::string& name : std::views::reverse(names_)) (void)remove_mapping(name);
  }

  void add(std::string name) { names_.push_back(std::move(name)); }

  /// From now on each exists until its last user closes it.
  Result<void> leave_to_those_above() {
    for (const std::string& name : names_) TRY(remove_mapping(name, Removal::deferred));
    names_.clear();
    return {};
  }

 private:
  std::vector<std::string> names_;
};

Result<void> check_is_new(const std::string& name) {
  const auto known = find_mapping(name);
  if (known) return Error(ErrorKind::busy, fmt::format("{}: the device already exists", name));
  if (known.error().kind() != ErrorKind::not_found) return Error(known.error());
  return {};
}

/// The target of a line that the kernel can open.
Result<const dm::Target*> kernel_target(const dm::Line& line, const std::string& name) {
  const dm::Target* const target = TRY(stack::find_target(line.target));
  if (target->kernel_arguments == nullptr)
    return Error(ErrorKind::unsupported,
                 fmt::format("{}: the kernel has no target '{}'; use --fuse, --nbd or --to", name,
                             line.target));
  return target;
}

/// What the formats in a mapping say about an error of the kernel, or the error.
Error explain(const dm::Table& table, const Mapping& mapping, Error error) {
  for (const dm::Line& line : table.lines) {
    const auto target = stack::find_target(line.target);
    if (!target || (*target)->kernel_refusal == nullptr) continue;
    if (auto refusal = (*target)->kernel_refusal(error.sys_errno()))
      return std::move(*refusal).with_context(mapping.name);
  }
  return error;
}

}  // namespace

Result<void> create_device_stack(const std::string& name, stack::Plan& plan) {
  if (plan.tables.empty())
    return Error(ErrorKind::invalid_argument,
                 plan.name +
                     ": not a volume that the device mapper opens; use a loop device "
                     "(losetup)");
  TRY(check_is_new(name));
  // The kernel would accept any table and fail at the first read.
  const stack::Stack stack = TRY(stack::open(plan, {}, stack::Writing::by_kernel));
  const auto opened = stack.devices();
  KernelNames names(plan.names);
  LowerDevices lower;
  std::size_t next = 0;  // in `opened`
  for (std::size_t i = 0; i < plan.tables.size(); ++i) {
    const dm::Table& table = plan.tables[i];
    const bool is_top = i + 1 == plan.tables.size();
    const std::string device = is_top ? name : fmt::format("{}-{}", name, i + 1);
    Mapping mapping{.name = device, .uuid = table.uuid.empty() ? "" : table.uuid + device};
    if (!is_top) mapping.uuid = fmt::format("{}{}", kLowerUuid, device);
    bool writable = !plan.read_only && !table.read_only;
    for (const dm::Line& line : table.lines) {
      const dm::Target& target = *TRY(kernel_target(line, plan.name));
      auto arguments = TRY(
          target.kernel_arguments(line, plan.names, *opened[next++],
                                  [&names](std::string_view word) { return names.find(word); }));
      const bool below_is_writable = names.take_all_writable();
      if (target.kernel_writes && !below_is_writable)
        return Error(ErrorKind::unsupported,
                     fmt::format("{}: the kernel cannot open dm-{} on a read-only device; use "
                                 "--fuse, --nbd or --to",
                                 plan.name, line.target));
      mapping.lines.push_back(
          {.sectors = line.sectors, .target = line.target, .parameters = std::move(arguments)});
      writable = writable && target.writable && below_is_writable;
    }
    mapping.read_only = !writable;
    if (is_top) {
      if (auto created = create_mapping(mapping); !created)
        return explain(table, mapping, std::move(created).error());
      break;
    }
    const auto created = create_lower_mapping(mapping);
    if (!created) return explain(table, mapping, Error(created.error()));
    lower.add(device);
    names.add(table.name, *created, writable);
  }
  return lower.leave_to_those_above();
}

}  // namespace intact::kernel
