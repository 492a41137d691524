#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/kernel/device_mapper.h>

#include "lower_mapping.h"

namespace intact::kernel {
namespace {

struct TaskDeleter {
  void operator()(dm_task* task) const { dm_task_destroy(task); }
};
using Task = std::unique_ptr<dm_task, TaskDeleter>;

/// The last error that libdevmapper reported, which it would otherwise print. Guarded by library().
std::string& last_message() {
  static std::string text;
  return text;
}

constexpr int kErrorLevel = 3;  // as syslog's; fatal is 2

void note(int level, const char*, int, int, const char* format, ...) {
  // Higher bits are flags ("to stderr", "once").
  if ((level & 7) > kErrorLevel) return;
  std::array<char, 512> text;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  last_message() = text.data();
}

/// Held during every use of libdevmapper, which has global state and is not thread-safe.
std::mutex& library() {
  static std::mutex mutex;
  return mutex;
}

Error failure(const std::string& name, int code) {
  std::string message = "device mapper: " + name;
  if (code != 0) return Error::from_errno(std::move(message), code);
  return {ErrorKind::io, fmt::format("{}: {}", message, last_message())};
}

/// Checks that there is a device mapper, with a better message than the library's. The existence of
/// the node proves nothing, since the library creates it; opening it loads the module if there is
/// one.
Result<void> check_kernel() {
  const auto misc = read_file("/proc/misc", 1 << 16);
  if (misc && as_text(*misc).find("device-mapper") != std::string_view::npos) return {};
  const auto control = open_file("/dev/mapper/control", O_RDONLY);
  if (control) return {};
  const int reason = control.error().sys_errno();
  if (reason != ENOENT && reason != ENODEV && reason != ENXIO) return {};
  return Error(ErrorKind::unsupported,
               "device mapper: not available in this kernel or container; load it (`modprobe "
               "dm-mod`), or use --fuse, --nbd or --to, which do not need it");
}

Result<Task> make_task(int type, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.size() >= DM_NAME_LEN)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("'{}': invalid device name; use 1 to {} characters and no slash", name,
                             DM_NAME_LEN - 1));
  TRY(check_kernel());
  dm_log_with_errno_init(note);
  last_message().clear();
  Task task(dm_task_create(type));
  // Tables may contain keys: the kernel and the library wipe their buffers.
  if (!task || !dm_task_set_name(task.get(), name.c_str()) || !dm_task_secure_data(task.get()))
    return failure(name, 0);
  return task;
}

Error no_device(const std::string& name, int code = 0) {
  return {ErrorKind::not_found, fmt::format("{}: no such device", name), code};
}

Result<void> run(const Task& task, const std::string& name) {
  if (dm_task_run(task.get())) return {};
  const int code = dm_task_get_errno(task.get());
  if (code == ENXIO) return no_device(name, code);
  if (code == EBUSY)
    return Error(ErrorKind::busy, fmt::format("{}: the device is in use", name), code);
  return failure(name, code);
}

/// Runs a task that creates or removes device nodes, which udev does where it runs and the library
/// does otherwise.
/// `flags`: for the rules of udev.
Result<void> run_with_nodes(const Task& task, const std::string& name, std::uint16_t flags = 0) {
  std::uint32_t cookie = 0;
  const bool udev = dm_udev_get_sync_support() != 0;
  if (udev && !dm_task_set_cookie(task.get(), &cookie, flags)) return failure(name, 0);
  Result<void> done = run(task, name);
  if (udev) dm_udev_wait(cookie);
  dm_task_update_nodes();
  return done;
}

/// Whether the kernel has the target. It has tried to load it by now.
bool has_target(const std::string& target) {
  const Task task(dm_task_create(DM_DEVICE_LIST_VERSIONS));
  if (!task || !dm_task_run(task.get())) return true;
  const auto* versions = dm_task_get_versions(task.get());
  for (;;) {
    if (versions->name == target) return true;
    if (versions->next == 0) return false;
    versions = reinterpret_cast<const dm_versions*>(reinterpret_cast<const char*>(versions) +
                                                    versions->next);
  }
}

/// `busy`: what EBUSY means.
Error explain(const Mapping& mapping, Error error, std::string_view busy) {
  switch (error.sys_errno()) {
    case EBUSY:
      return {ErrorKind::busy, fmt::format("{}: {}", mapping.name, busy), EBUSY};
    case EINVAL:
      for (const MappingLine& line : mapping.lines)
        if (!has_target(line.target))
          return {ErrorKind::unsupported,
                  fmt::format("{0}: this kernel has no dm-{1} target; load it (`modprobe dm-{1}`)",
                              mapping.name, line.target),
                  EINVAL};
      // Without the table, which may contain keys.
      return {ErrorKind::unsupported,
              fmt::format("{}: the kernel refuses the dm-{} table; see its log (`dmesg`) for the "
                          "reason",
                          mapping.name, mapping.lines.empty() ? "" : mapping.lines.back().target),
              EINVAL};
    default:
      return error;
  }
}

/// The lines in the answer to a task.
std::vector<MappingLine> lines_of(const Task& task) {
  std::vector<MappingLine> lines;
  void* next = nullptr;
  do {
    std::uint64_t start = 0;
    std::uint64_t length = 0;
    char* type = nullptr;
    char* parameters = nullptr;
    next = dm_get_next_target(task.get(), next, &start, &length, &type, &parameters);
    if (type == nullptr) continue;
    lines.push_back({.sectors = length,
                     .target = type,
                     .parameters = crypto::Secret::copy_of(
                         as_bytes(std::string_view(parameters != nullptr ? parameters : "")))});
  } while (next != nullptr);
  return lines;
}

/// Adds a line to a task that loads a table.
bool add_line(const Task& load, std::uint64_t start, const MappingLine& line) {
  // With the final zero that the library expects. It wipes its own copy with the task.
  crypto::Secret parameters(line.parameters.size() + 1);
  std::ranges::copy(line.parameters.expose(), parameters.expose().begin());
  return dm_task_add_target(load.get(), start, line.sectors, line.target.c_str(),
                            parameters.expose_text().data()) != 0;
}

Result<dev_t> load_and_resume(const Mapping& mapping, std::uint16_t udev_flags) {
  const Task load = TRY(make_task(DM_DEVICE_RELOAD, mapping.name));
  if (mapping.read_only && !dm_task_set_ro(load.get())) return failure(mapping.name, 0);
  std::uint64_t start = 0;
  for (const MappingLine& line : mapping.lines) {
    if (!add_line(load, start, line)) return failure(mapping.name, 0);
    start += line.sectors;
  }
  TRY(run(load, mapping.name));
  const Task resume = TRY(make_task(DM_DEVICE_RESUME, mapping.name));
  TRY(run_with_nodes(resume, mapping.name, udev_flags));
  dm_info info;
  if (!dm_task_get_info(resume.get(), &info)) return failure(mapping.name, 0);
  return makedev(info.major, info.minor);
}

// In single steps: the library could do all of it at once, but would not return an errno.
Result<dev_t> create(const Mapping& mapping, std::uint16_t udev_flags) {
  const std::lock_guard lock(library());
  const Task create = TRY(make_task(DM_DEVICE_CREATE, mapping.name));
  if (!mapping.uuid.empty() && !dm_task_set_uuid(create.get(), mapping.uuid.c_str()))
    return failure(mapping.name, 0);
  if (auto done = run(create, mapping.name); !done)
    return explain(mapping, std::move(done).error(),
                   "a device with this name or UUID already exists");
  auto loaded = load_and_resume(mapping, udev_flags);
  if (loaded) return loaded;
  if (const auto remove = make_task(DM_DEVICE_REMOVE, mapping.name))
    (void)run_with_nodes(*remove, mapping.name, udev_flags);
  return explain(mapping, std::move(loaded).error(),
                 "a device that it would be on is in use (mounted, or claimed by another device)");
}

}  // namespace

std::uint64_t Mapping::sectors() const {
  std::uint64_t sum = 0;
  for (const MappingLine& line : lines) sum += line.sectors;
  return sum;
}

std::string_view Mapping::target() const {
  return lines.size() == 1 ? std::string_view(lines[0].target) : std::string_view();
}

Result<void> create_mapping(const Mapping& mapping) {
  TRY(create(mapping, 0));
  return {};
}

Result<dev_t> create_lower_mapping(const Mapping& mapping) {
  return create(mapping, DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
                             DM_UDEV_DISABLE_OTHER_RULES_FLAG);
}

Result<MappingState> find_mapping(const std::string& name) {
  const std::lock_guard lock(library());
  const Task table = TRY(make_task(DM_DEVICE_TABLE, name));
  TRY(run(table, name));
  dm_info info;
  if (!dm_task_get_info(table.get(), &info)) return failure(name, 0);
  if (!info.exists) return no_device(name);
  MappingState state{.mapping = {.name = name,
                                 .uuid = dm_task_get_uuid(table.get()),
                                 .lines = lines_of(table),
                                 .read_only = info.read_only != 0},
                     .open_count = static_cast<unsigned>(info.open_count)};
  const Task status = TRY(make_task(DM_DEVICE_STATUS, name));
  TRY(run(status, name));
  const auto lines = lines_of(status);
  if (lines.size() == 1) state.status = lines[0].parameters.expose_text();
  return state;
}

std::string mapping_name(const std::string& given) {
  return given.starts_with(kMapperDirectory) ? given.substr(kMapperDirectory.size()) : given;
}

Result<MappingState> find_mapping_of(std::string_view target, const std::string& given) {
  MappingState state = TRY(find_mapping(mapping_name(given)));
  if (state.mapping.target() == target) return state;
  return Error(ErrorKind::invalid_argument, fmt::format("{}: a dm-{} device, not a dm-{} device",
                                                        given, state.mapping.target(), target));
}

std::string describe(const MappingState& state) {
  return fmt::format("{}{}: {} sectors of dm-{}, open {} times, UUID {}.", kMapperDirectory,
                     state.mapping.name, state.mapping.sectors(), state.mapping.target(),
                     state.open_count, state.mapping.uuid);
}

Result<void> pass_signature(const std::string& description, ByteSpan signature) {
  if (::syscall(SYS_add_key, "user", description.c_str(), signature.data(), signature.size(),
                KEY_SPEC_THREAD_KEYRING) < 0)
    return Error::from_errno("cannot pass the signature to the kernel", errno);
  return {};
}

Result<void> remove_mapping(const std::string& name, Removal removal) {
  const std::lock_guard lock(library());
  if (removal == Removal::cancel) {
    const Task task = TRY(make_task(DM_DEVICE_TARGET_MSG, name));
    if (!dm_task_set_sector(task.get(), 0) ||
        !dm_task_set_message(task.get(), "@cancel_deferred_remove"))
      return failure(name, 0);
    return run(task, name);
  }
  const Task task = TRY(make_task(DM_DEVICE_REMOVE, name));
  // udev and blkid may have the device open for a moment.
  if (removal == Removal::deferred ? !dm_task_deferred_remove(task.get())
                                   : !dm_task_retry_remove(task.get()))
    return failure(name, 0);
  return run_with_nodes(task, name);
}

std::string device_node(const std::string& number) {
  std::error_code failed;
  const auto link = std::filesystem::read_symlink("/sys/dev/block/" + number, failed);
  return failed ? number : "/dev/" + link.filename().string();
}

std::string loop_file(const std::string& number) {
  const auto text =
      read_file(fmt::format("/sys/dev/block/{}/loop/backing_file", number), 2 * PATH_MAX);
  if (!text) return {};
  std::string path(as_text(*text));
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

}  // namespace intact::kernel
