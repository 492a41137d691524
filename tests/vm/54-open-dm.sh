#!/usr/bin/env bash
# `intact open --dm`: the kernel opens what was identified, a device for each layer; the lower ones go away with the
# uppermost, and nothing is left of what cannot be opened.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe dm-integrity
modprobe dm-verity
# nothing_left: neither devices nor loop devices; those that are deferred may take a moment
nothing_left() { await eval '[[ -z $(dmsetup ls --target integrity)$(dmsetup ls --target verity)$(losetup -a) ]]'; }
# dmsetup says "No devices found" where there are none.
dmsetup() { command dmsetup "$@" 2>&1 | { grep -v '^No devices found' || :; }; }
head -c 1048576 /dev/urandom > data
cp data volume
expect 0 "$intact" verity format volume volume --hash-offset 1048576 --root-hash-file root

case_of "one layer: dm-verity"
expect 0 "$intact" open volume --root-hash-file root --dm top
cmp data /dev/mapper/top
expect 0 "$intact" verity status top
expect 0 "$intact" verity close top
nothing_left

case_of "one layer: dm-integrity, written by the kernel"
truncate -s 8M disk
expect 0 "$intact" integrity format disk --sector-size 4096
expect 0 "$intact" open disk --dm top
dd if=volume of=/dev/mapper/top bs=64K oflag=direct conv=notrunc status=none
expect 8 "$intact" open disk --dm top
said '^intact: disk: in use by another process$'
expect 0 "$intact" integrity close top
nothing_left
expect 0 "$intact" integrity check disk

case_of "the kernel would replay the journal of what is only to be read"
cp disk before
expect 6 "$intact" open disk -r --dm top
said 'cannot open dm-integrity on a read-only device; use --fuse, --nbd or --to'
nothing_left
expect 6 "$intact" open disk -r --root-hash-file root --hash-offset 1048576 --dm top
said 'cannot open dm-integrity on a read-only device'
nothing_left
sectors=$("$intact" integrity dump disk | sed -n 's/^provided_data_sectors //p')
expect 6 "$intact" open -r --dm top \
  --table "0 $sectors integrity $PWD/disk 0 4 J 2 block_size:4096 internal_hash:crc32c"
said 'cannot open dm-integrity on a read-only device'
nothing_left
cmp before disk
rm before
expect 0 "$intact" open volume -r --root-hash-file root --dm top
cmp data /dev/mapper/top
expect 0 "$intact" verity close top
nothing_left

case_of "dm-verity in dm-integrity"
root=(--root-hash-file root --hash-offset 1048576)
expect 0 "$intact" open disk "${root[@]}" --dm top
equal "$(dmsetup ls --target integrity | cut -f 1)" top-1 'the device below'
equal "$(dmsetup info -c --noheadings -o uuid top-1)" CRYPT-SUBDEV-top-1 'its UUID'
equal "$(dmsetup info -c --noheadings -o uuid top)" "$(dmsetup info -c --noheadings -o uuid top | grep -x 'CRYPT-VERITY-.*top')" 'the UUID'
cmp data /dev/mapper/top
expect 0 "$intact" verity status top
said 'data device: */dev/'
expect 8 "$intact" integrity close top-1
said 'top-1: the device is in use'
expect 0 "$intact" verity close top
nothing_left
# The node of such a name has another one.
expect 0 "$intact" open disk "${root[@]}" --dm 'a b'
cmp data '/dev/mapper/a\x20b'
expect 0 "$intact" verity close 'a b'
nothing_left
expect 0 "$intact" open disk "${root[@]}" --to copy
cmp data copy

case_of "damage is found by the layer that it is in"
cp disk whole
read_block() { dd if=/dev/mapper/top of=/dev/null bs=4096 skip="$1" count=1 iflag=direct status=none 2> /dev/null; }
# hundredth_fails: block 100 of the disk is not read, and the others are; then the disk is whole again
hundredth_fails() {
  expect 0 "$intact" open disk "${root[@]}" --dm top
  ! read_block 100 || fail 'damage was read'
  read_block 99
  read_block 101
  cmp -n 409600 data /dev/mapper/top
  expect 0 "$intact" verity close top
  nothing_left
  cp whole disk
}
# Smaller than an interleaving, it has its data at the end.
sectors=$("$intact" integrity dump disk | sed -n 's/^provided_data_sectors //p')
where=$((8388608 - sectors * 512 + 100 * 4096))
equal "$(dd if=disk bs=1 skip=$where count=16 status=none | od -An -tx1)" \
  "$(dd if=data bs=1 skip=409600 count=16 status=none | od -An -tx1)" 'block 100 on the disk'
printf 'damaged' | dd of=disk bs=1 seek="$where" conv=notrunc status=none
hundredth_fails
expect 0 "$intact" open disk --dm top
head -c 4096 /dev/urandom | dd of=/dev/mapper/top bs=4096 seek=100 oflag=direct conv=notrunc status=none
expect 0 "$intact" integrity close top
nothing_left
hundredth_fails

case_of "what cannot be opened leaves nothing"
expect 3 "$intact" open disk --hash-offset 1048576 --root-hash "$(printf %064d 0)" --dm top
said ': the hash tree does not match this root hash'
nothing_left
truncate -s 4M other
expect 0 "$intact" integrity format other --sector-size 4096
expect 0 "$intact" open other --dm top-1
expect 8 "$intact" open disk "${root[@]}" --dm top
said 'top-1: .*already exists'
expect 0 "$intact" integrity close top-1
nothing_left
expect 0 "$intact" open disk "${root[@]}" --dm top
expect 0 "$intact" verity close top
nothing_left
# The kernel would write to its journal, which dm-verity does not let it.
expect 0 "$intact" verity format disk tree --root-hash-file outer
expect 6 "$intact" open disk --hash-device tree --root-hash-file outer --dm top
said 'cannot open dm-integrity on a read-only device'
nothing_left
expect 0 "$intact" open disk --hash-device tree --root-hash-file outer --to second
cmp -n 1048576 data second
expect 2 "$intact" open data --dm top
said 'not a volume that the device mapper opens'
