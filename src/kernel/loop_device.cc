#include "loop_device.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <intact/base/file.h>

#include "file_system.h"

namespace intact::kernel {
namespace {

// Another process may take a free device after we asked for its number and before we use it.
constexpr int kAttempts = 64;

}  // namespace

Result<LoopDevice> LoopDevice::attach(int file, bool writable) {
  const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return mount_error("/dev/loop-control: no loop devices", errno);
  loop_config config{};
  config.fd = static_cast<__u32>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (writable ? 0 : LO_FLAGS_READ_ONLY);
  for (int i = 0; i < kAttempts; ++i) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return mount_error("no free loop device", errno);
    std::string path = fmt::format("/dev/loop{}", number);
    UniqueFd device = TRY(open_file(path, writable ? O_RDWR : O_RDONLY));
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0)
      return LoopDevice(std::move(path), std::move(device));
    if (errno != EBUSY) return mount_error(path, errno);
  }
  return Error(ErrorKind::busy, "loop devices: all taken by other processes");
}

}  // namespace intact::kernel
