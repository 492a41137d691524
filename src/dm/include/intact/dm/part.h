#pragma once

#include <memory>

#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/dm/line.h>
#include <intact/dm/names.h>
#include <intact/dm/target.h>

namespace intact::dm {

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
