#include <cerrno>
#include <map>
#include <ranges>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <intact/kernel/device_mapper.h>
#include <intact/stack/stack.h>

#include "loop_device.h"

namespace intact::kernel {
namespace {

std::string number_of(dev_t device) {
  return fmt::format("{}:{}", major(device), minor(device));
}

/// The kernel's names for what the words of a plan stand for: "MAJOR:MINOR". Loop devices go with
/// this object unless the kernel uses them by then.
class KernelNames {
 public:
  explicit KernelNames(dm::Names& names) : names_(names) {}

  Result<std::string> find(std::string_view word) {
    if (const auto known = numbers_.find(word); known != numbers_.end()) return known->second;
    const dm::File file = TRY(names_.file(word));
    struct stat st;
    if (::fstat(file->fd(), &st) != 0) return Error::from_errno("fstat", errno);
    if (!S_ISBLK(st.st_mode)) {
      loops_.push_back(TRY(LoopDevice::attach(file->fd(), file->writable())));
      if (::stat(loops_.back().path().c_str(), &st) != 0)
        return Error::from_errno(loops_.back().path(), errno);
    }
    return numbers_.emplace(word, number_of(st.st_rdev)).first->second;
  }
  /// Makes a device that was created known as dm:`name`.
  Result<void> add(const std::string& name, const std::string& device) {
    struct stat st;
    const std::string path = "/dev/mapper/" + device;
    if (::stat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
    numbers_.emplace("dm:" + name, number_of(st.st_rdev));
    return {};
  }

 private:
  dm::Names& names_;
  std::map<std::string, std::string, std::less<>> numbers_;
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

/// Whether what the line makes can be written to if what is below it can be.
Result<bool> line_is_writable(const dm::Line& line, bool below, const std::string& name) {
  const dm::Target& target = *TRY(stack::find_target(line.target));
  if (target.kernel_arguments == nullptr)
    return Error(ErrorKind::unsupported,
                 fmt::format("{}: the kernel has no target '{}'; use --fuse, --nbd or --to", name,
                             line.target));
  if (target.kernel_writes && !below)
    return Error(ErrorKind::unsupported,
                 fmt::format("{}: the kernel cannot open dm-{} on a read-only device; use --fuse, "
                             "--nbd or --to",
                             name, line.target));
  return target.writable && below;
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
  bool writable = !plan.read_only && (!plan.file || plan.file->writable());
  std::size_t next = 0;  // in `opened`
  for (std::size_t i = 0; i < plan.tables.size(); ++i) {
    const dm::Table& table = plan.tables[i];
    const bool is_top = i + 1 == plan.tables.size();
    const std::string device = is_top ? name : fmt::format("{}-{}", name, i + 1);
    Mapping mapping{.name = device, .uuid = table.uuid.empty() ? "" : table.uuid + device};
    bool all_writable = true;
    for (const dm::Line& line : table.lines) {
      all_writable &= TRY(line_is_writable(line, writable || i == 0, plan.name));
      auto arguments =
          TRY((*stack::find_target(line.target))
                  ->kernel_arguments(line, plan.names, *opened[next++],
                                     [&names](std::string_view word) { return names.find(word); }));
      mapping.lines.push_back(
          {.sectors = line.sectors, .target = line.target, .parameters = std::move(arguments)});
    }
    writable = writable && all_writable;
    mapping.read_only = !writable;
    TRY(create_mapping(mapping));
    if (is_top) break;
    lower.add(device);
    TRY(names.add(table.name, device));
  }
  return lower.leave_to_those_above();
}

}  // namespace intact::kernel
