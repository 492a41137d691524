#pragma once

#include <intact/dm/target.h>

namespace intact::flakey {

/// The target "flakey", a part of a device that fails from time to time
/// (Documentation/admin-guide/device-mapper/dm-flakey.rst):
///     DEVICE START UP DOWN [COUNT FEATURE...]
/// UP and DOWN in seconds: it works for UP seconds from when it is opened, then misbehaves for
/// DOWN, and so on. Features say how; without any, every read and write fails:
///     error_reads, error_writes   those fail, others work
///     drop_writes                 writes are dropped, without an error
///     corrupt_bio_byte NTH r|w VALUE 0   the NTH byte (from 1 on) of each request becomes VALUE
///     random_read_corrupt P, random_write_corrupt P
///                                 P in 10^9 requests get a random byte in a random place
extern const dm::Target kDmTarget;

}  // namespace intact::flakey
