#!/usr/bin/env bash
# Devices of dm-integrity made by `intact integrity open --dm` are what integritysetup would have made: the same table
# and UUID, the same status; the kernel writes what we read, and closing them leaves no loop device.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe dm-integrity
device=/dev/mapper/volume
head -c 32 /dev/urandom > key
head -c 65536 /dev/urandom > bytes
keyed=(--integrity hmac-sha256 --integrity-key-file key --integrity-key-size 32)

# same_device OPTION...: on block devices, so that both name the same ones.
same_device() {
  case_of "as integritysetup: $*"
  rm -f disk
  truncate -s 4M disk
  expect 0 "$intact" integrity format disk "$@"
  loop=$(losetup --find --show disk)
  integritysetup open "$loop" volume "$@"
  dmsetup table --showkeys volume > theirs
  dmsetup info -c --noheadings -o uuid volume >> theirs
  integritysetup close volume
  expect 0 "$intact" integrity open "$loop" volume "$@"
  dmsetup table --showkeys volume > ours
  dmsetup info -c --noheadings -o uuid volume >> ours
  same theirs ours
  integritysetup status volume > status
  grep -q 'type: *INTEGRITY' status || fail "$(cat status)"
  expect 0 "$intact" integrity status volume
  same status out
  expect 8 "$intact" integrity open "$loop" --dm volume "$@"
  said '^intact: /dev/loop[0-9]+: in use \(mounted, or claimed by another device\)'
  dd if=bytes of=$device bs=64K seek=3 oflag=direct conv=notrunc status=none
  expect 0 "$intact" integrity close volume
  losetup -d "$loop"
}
same_device
same_device "${keyed[@]}"

case_of "plain files"
expect 0 "$intact" integrity check disk "${keyed[@]}"
expect 0 "$intact" integrity open disk --dm volume "${keyed[@]}"
cmp -n 65536 <(dd if=$device bs=64K skip=3 count=1 iflag=direct status=none) bytes
expect 0 "$intact" integrity close volume
[[ ! -e $device && -z $(losetup -a) ]] || fail "something is left: $(losetup -a)"
expect 7 "$intact" integrity close volume
said 'volume: no such device'
expect 2 "$intact" integrity open disk volume --to copy "${keyed[@]}"
said 'FILE DEVICE creates a device-mapper device and cannot be combined'
