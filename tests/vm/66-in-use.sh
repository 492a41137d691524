#!/usr/bin/env bash
# A block device that is mounted, or that another device is on, is not written: every command that would write to it is
# refused and leaves it as it is. Reading it is allowed, and afterwards everything works.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe loop
loop=$(new_disk image 8M)
mkdir mounted
# refused COMMAND...
refused() {
  expect 8 "$intact" "$@"
  said "^intact: (--table: )?${loop}: in use \\(mounted, or claimed by another device\\)$"
}
# all_refused: while something uses the device
all_refused() {
  sync
  cp image before
  refused integrity format "$loop"
  refused integrity format "$loop" --integrity-no-journal
  refused integrity resize "$loop"
  refused integrity replay "$loop" --in-place
  refused integrity open "$loop" --nbd "$work/sock"
  refused integrity open "$loop" --dm volume
  refused verity format data "$loop"
  refused verity format "$loop" "$loop" --data-blocks 16 --hash-offset 1048576
  refused verity format data tree --fec-device "$loop"
  refused open "$loop" --format raw --nbd "$work/sock"
  refused open --table "0 16 linear $loop 0" --nbd "$work/sock"
  [[ ! -e tree ]] || fail 'a file is left'
  sync
  cmp before image
  expect 0 "$intact" open "$loop" -r --format raw --to copy
  cmp before copy
  rm copy
}
head -c 65536 /dev/urandom > data

case_of "mounted"
expect 0 "$intact" verity format "$loop" hashes --root-hash-file root
modprobe dm-verity
mount -o ro,noload "$loop" mounted
all_refused
# The kernel says so too, of what is only read.
expect 8 "$intact" verity open "$loop" volume hashes "$(cat root)"
said '^intact: volume: a device that it would be on is in use \(mounted, or claimed by another device\)$'
expect 7 "$intact" verity close volume
said 'volume: no such device'
umount mounted
expect 0 "$intact" verity open "$loop" volume hashes "$(cat root)"
expect 0 "$intact" verity close volume

case_of "under a device of the device mapper"
dmsetup create above --table "0 64 linear $loop 0"
all_refused
dmsetup remove above

case_of "not in use"
expect 0 "$intact" verity format data "$loop"
# One device for two purposes is opened once.
expect 0 "$intact" verity format "$loop" "$loop" --data-blocks 16 --hash-offset 1048576 --root-hash-file root
expect 0 "$intact" verity verify "$loop" "$loop" "$(cat root)" --hash-offset 1048576
expect 0 "$intact" integrity format -q "$loop"
expect 0 "$intact" integrity resize "$loop"
# Our claim ends where the kernel's begins.
modprobe dm-integrity
expect 0 "$intact" integrity open "$loop" --dm volume
expect 0 "$intact" integrity close volume
expect 0 "$intact" open "$loop" --dm volume
expect 0 "$intact" integrity close volume

case_of "mounted while it is written"
mkfs.ext4 -q -b 4096 "$loop"
"$intact" open "$loop" --format raw --nbd "$work/sock" > served 2>&1 &
server=$!
await test -S "$work/sock" || { cat served; fail 'no server'; }
! mount -o ro,noload "$loop" mounted 2> /dev/null || fail 'it was mounted'
kill -TERM "$server"
wait "$server" || :
mount -o ro,noload "$loop" mounted
umount mounted
