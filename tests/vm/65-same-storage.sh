#!/usr/bin/env bash
# What is the same storage under several names: a loop device and its file, a disk and its partitions. Two lines of a
# table do not write to one place of it, whatever they call it, and neither do the parts of a volume.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe loop
# A table of two partitions, made here: sectors 64 to 127 and 128 to 191.
truncate -s 128K disk
# entry START SECTORS OFFSET: a partition of type 0x83, in the entry of the table at OFFSET
entry() {
  local start size
  printf -v start '\\%03o\\0\\0\\0' "$1"
  printf -v size '\\%03o\\0\\0\\0' "$2"
  # shellcheck disable=SC2059  # bytes
  printf "\0\0\0\0\203\0\0\0$start$size" | dd of=disk bs=1 seek="$3" conv=notrunc status=none
}
entry 64 64 446
entry 128 64 462
printf '\125\252' | dd of=disk bs=1 seek=510 conv=notrunc status=none
loop=$(losetup --find --show --partscan disk)
await test -b "${loop}p2"
# serves TABLE: whether it can be opened for writing: everything is checked before there is a socket
serves() {
  "$intact" open --table "$1" --nbd "$work/sock" > served 2>&1 &
  local server=$!
  await test -S "$work/sock" || { cat served; return 1; }
  kill -TERM "$server"
  wait "$server" || : # the signal may come before the server expects it
  rm -f "$work/sock"
}
# refused MESSAGE LINE LINE: two lines that write to one place; and their twin, read-only
refused() {
  cp disk before
  expect 8 "$intact" open --table "$2"$'\n'"$3" --nbd "$work/sock"
  said "^intact: table line 2: linear: $1; only one line can write to a place"
  cmp before disk
  expect 0 "$intact" open -r --table "$2"$'\n'"$3" --to both
  rm both
}

case_of "a loop device and its file"
refused 'sectors 8 to 15 of its device are written by another line too, by another name' \
  "0 16 linear $work/disk 0" "16 16 linear $loop 8"
refused 'sectors 8 to 15 of its device are written by another line too, by another name' \
  "0 16 linear $loop 8" "16 16 linear $work/disk 0"
serves "0 16 linear $work/disk 0"$'\n'"16 16 linear $loop 16"
# One page is written as a whole.
refused 'sectors 0 to 7 of its device are written by another line too, by another name' \
  "0 4 linear $work/disk 0" "4 4 linear $loop 4"

case_of "a loop device with an offset"
shifted=$(losetup --find --show --offset 4096 disk)
refused 'sectors 0 to 7 of its device are written by another line too, by another name' \
  "0 16 linear $work/disk 0" "16 16 linear $shifted 0"
serves "0 8 linear $work/disk 0"$'\n'"8 16 linear $shifted 0"

case_of "a loop device on a loop device"
upper=$(losetup --find --show "$shifted")
refused 'sectors 0 to 7 of its device are written by another line too, by another name' \
  "0 16 linear $work/disk 0" "16 16 linear $upper 0"
losetup -d "$upper"
losetup -d "$shifted"

case_of "partitions"
refused 'sectors 0 to 15 of its device are written by another line too, by another name' \
  "0 64 linear $loop 64" "64 16 linear ${loop}p1 0"
refused 'sectors 120 to 127 of its device are written by another line too, by another name' \
  "0 64 linear ${loop}p1 0" "64 16 linear $work/disk 120"
serves "0 64 linear ${loop}p1 0"$'\n'"64 64 linear ${loop}p2 0"
serves "0 64 linear $loop 0"$'\n'"64 64 linear ${loop}p1 0"

case_of "a device of the device mapper and what is below it"
dmsetup create part --table "0 64 linear ${loop} 0"
dmsetup mknodes part
refused 'sectors 0 to 15 of its device are written by another line too, as a part of something larger' \
  "0 16 linear /dev/mapper/part 16" "16 16 linear $work/disk 0"
expect 8 "$intact" open --table "0 16 linear $loop 32" --nbd "$work/sock"
said "$loop: in use \(mounted, or claimed by another device\)"
expect 0 "$intact" open -r --table "0 16 linear $loop 32" --to part
rm part
serves "0 16 linear /dev/mapper/part 16"$'\n'"16 16 linear /dev/mapper/part 0"
dmsetup remove part

case_of "the parts of a volume"
cp disk before
expect 8 "$intact" verity format "${loop}p1" "$work/disk" --hash-offset 65536
said "^intact: (.*/disk|${loop}p1): the same storage as .*, by another name; use one name for both"
cmp before disk
expect 0 "$intact" verity format "${loop}p1" "${loop}p2"
expect 8 "$intact" integrity format "$loop" --data-device "${loop}p1"
said "^intact: ${loop}p1: the same storage as $loop, by another name; use one name for both"
losetup -d "$loop"
truncate -s 4M halves
first=$(losetup --find --show --sizelimit 2M halves)
second=$(losetup --find --show --offset 2M halves)
expect 0 "$intact" integrity format "$first" --data-device "$second"
