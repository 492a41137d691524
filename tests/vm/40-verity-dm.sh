#!/usr/bin/env bash
# Devices of dm-verity made by `intact verity open` are what veritysetup would have made: the same table,
# UUID and status; the kernel reads the same bytes, and closing them leaves no loop device.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe dm-verity
dd if=/dev/urandom of=data bs=1M count=1 status=none
truncate -s 512K hash
truncate -s 256K fec
cp data good
device=/dev/mapper/volume
gone() { [[ ! -e $device && -z $(losetup -a) ]] || fail "something is left: $(losetup -a)"; }
closed() { expect 0 "$intact" verity close volume; }

# On block devices, so that both name the same ones.
for file in data hash fec; do declare "$file=$(losetup --find --show --sector-size 512 $file)"; done
# same_device [OPTION...] -- [OPEN OPTION...]: the volume is formatted with the first options.
same_device() {
  local format=() root
  while [[ $1 != -- ]]; do format+=("$1"); shift; done
  shift
  case_of "as veritysetup: ${format[*]} $*"
  expect 0 "$intact" verity format "$data" "$hash" --root-hash-file root "${format[@]}"
  root=$(cat root)
  veritysetup open "$data" volume "$hash" "$root" "$@"
  dmsetup table volume > table.theirs
  dmsetup info -c --noheadings -o uuid,read_only volume > info.theirs
  veritysetup status volume > status.theirs
  expect 0 "$intact" verity status volume
  # They have a blank behind the flags, and no word of the file behind the FEC device.
  diff -b <(grep -v 'FEC loop' "$work/out") <(grep -v 'FEC loop' status.theirs) || fail 'we show their device otherwise'
  closed
  expect 0 "$intact" verity open "$data" volume "$hash" "$root" "$@"
  diff table.theirs <(dmsetup table volume) || fail 'another table'
  diff info.theirs <(dmsetup info -c --noheadings -o uuid,read_only volume) || fail 'another UUID'
  diff status.theirs <(veritysetup status volume) || fail 'veritysetup shows our device otherwise'
  cmp -n "$(blockdev --getsize64 $device)" $device good
  veritysetup close volume
}
same_device --
same_device --salt=- --
same_device --hash=sha512 --data-block-size=1024 --hash-block-size=1024 --
same_device --format=0 --hash=sha1 --
same_device --data-blocks=3 --hash-offset=4096 -- --hash-offset=4096
same_device -- --ignore-corruption --ignore-zero-blocks
same_device -- --restart-on-corruption --check-at-most-once
same_device -- --panic-on-corruption
same_device -- --use-tasklets --ignore-zero-blocks
grep -q ' try_verify_in_tasklet' table.theirs || fail "veritysetup knows no tasklets: $(cat table.theirs)"
same_device --fec-device="$fec" --fec-roots=4 -- --fec-device="$fec" --fec-roots=4
same_device --fec-device="$fec" --fec-offset=8192 -- --fec-device="$fec" --fec-offset=8192 --ignore-zero-blocks
bare=(--no-superblock --salt=0102 --data-blocks=256 --hash-offset=8192)
same_device "${bare[@]}" -- "${bare[@]}"
losetup -D

case_of "files"
expect 0 "$intact" verity format data hash --root-hash-file root --fec-device fec
expect 0 "$intact" verity open data hash --root-hash-file root --dm volume
cmp $device good
equal "$(losetup -a | wc -l)" 2 'loop devices'
equal "$(losetup -n -O AUTOCLEAR,RO -a | sort -u | tr -s ' ')" ' 1 1' 'their flags'
expect 1 dd if=/dev/zero of=$device bs=4096 count=1 conv=notrunc status=none
said 'Read-only|Operation not permitted|not permitted'
expect 0 "$intact" verity status volume --json
said '"ok":true'
expect 0 veritysetup status volume
said "data loop: +$work/data"
# Its name is taken; and while somebody has it open it stays.
expect 8 "$intact" verity open data hash --root-hash-file root --dm volume
said 'volume: .*already exists'
exec 9< $device
expect 8 "$intact" verity close volume
said 'volume: the device is in use'
expect 0 "$intact" verity status volume
said 'is active and is in use'
expect 0 "$intact" verity close volume --deferred
expect 0 "$intact" verity status volume
exec 9<&-
await eval '[[ -z $(losetup -a) ]]'
expect 7 "$intact" verity status volume
said ': inactive'
expect 7 "$intact" verity close volume
said 'volume: no such device'
gone

case_of "one file, once"
cat data > one
truncate -s 2M one
layout=(--hash-offset=1048576 --data-blocks=256)
expect 0 "$intact" verity format one one --root-hash-file root.one "${layout[@]}"
expect 0 "$intact" verity open one volume one --root-hash-file root.one --hash-offset=1048576
equal "$(losetup -a | wc -l)" 1 'loop devices'
cmp $device good
closed
gone

case_of "damage"
dd if=/dev/urandom of=data bs=4096 seek=77 count=1 conv=notrunc status=none
expect 0 "$intact" verity open data volume hash "$(cat root)"
expect 1 dd if=$device of=/dev/null bs=4096 skip=77 count=1 iflag=direct status=none
said 'Input/output error'
dd if=$device bs=4096 skip=76 count=1 iflag=direct status=none | cmp - <(dd if=good bs=4096 skip=76 count=1 status=none)
expect 0 "$intact" verity status $device
said 'status: +corrupted'
expect 0 "$intact" verity status volume --json
said '"ok":false'
closed
expect 0 "$intact" verity open data volume hash "$(cat root)" --fec-device fec
cmp $device good
closed
gone

case_of "what is refused before the kernel sees it"
expect 3 "$intact" verity open data volume hash "$(printf %064d 1)"
said ': the hash tree does not match this root hash'
expect 2 "$intact" verity open data a/b hash "$(cat root)"
said "'a/b': invalid device name"
expect 2 "$intact" verity open data volume hash "$(cat root)" --to copy
said 'NAME: only for device-mapper devices'
expect 2 "$intact" verity open data hash "$(cat root)" --dm volume --daemon
said '--daemon and --log: only with --fuse or --nbd'
gone
dmsetup create other --table '0 8 zero'
expect 2 "$intact" verity status other
said 'not a dm-verity device'
expect 2 "$intact" verity close other
said 'other: a dm-zero device, not a dm-verity device'
expect 8 "$intact" verity open data other hash "$(cat root)"
said 'other: .*already exists'
dmsetup remove other
gone
