#!/usr/bin/env bash
# What the servers of `intact open` and `intact verity open` serve is good enough for the kernel's file
# systems: over NBD, with nbd-client, and as the file of a FUSE mount; for reading, with damage that fails
# where it lies and nowhere else, and for writing.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe nbd max_part=0
modprobe erofs
modprobe fuse
mkdir tree mnt
for ((i = 0; i < 20; i++)); do head -c $((20000 + i * 4096)) /dev/urandom > tree/file$i; done
mkfs.erofs image tree > /dev/null
expect 0 "$intact" verity format image hash --root-hash-file root
cp image good

attach() {
  nbd-client -unix sock /dev/nbd0 "$@" > nbd.log 2>&1 || fail "nbd-client: $(cat nbd.log)"
  await eval '(($(blockdev --getsize64 /dev/nbd0) > 0))'
}
detach() { nbd-client -d /dev/nbd0 > nbd.log 2>&1 || fail "nbd-client: $(cat nbd.log)"; }
# By mount(2): mount(8) would put a loop device between.
mount_file() {
  perl -e '
    my ($file, $dir) = @ARGV;
    my $type = "erofs"; my $none = "";
    syscall(165, $file, $dir, $type, 1, $none) == 0 or die "mount: $!\n";' "$(readlink -f "$1")" "$2"
}
# A block of the content of file7, and not of what describes the image.
block_of_file7() {
  perl -e '
    local $/; open(my $i, "<:raw", "image") or die; open(my $f, "<:raw", "tree/file7") or die;
    my $at = index(<$i>, substr(<$f>, 4096, 4096)); $at > 0 && $at % 4096 == 0 or die "not found"; print $at / 4096'
}
# Every file reads as it is, but for file7: its damaged page fails, and no other.
check_tree() {
  local i
  for ((i = 0; i < 20; i++)); do
    [[ ${damaged-} && $i == 7 ]] || cmp "tree/file$i" "mnt/file$i" || fail "file$i"
  done
  [[ ${damaged-} ]] || return 0
  expect 1 dd if=mnt/file7 of=/dev/null bs=4096 skip=1 count=1 status=none
  said 'Input/output error'
  dd if=mnt/file7 bs=4096 skip=3 count=1 status=none | cmp - <(dd if=tree/file7 bs=4096 skip=3 count=1 status=none)
}

for damaged in '' yes; do
  [[ -z $damaged ]] || dd if=/dev/urandom of=image bs=4096 "seek=$(block_of_file7)" count=1 conv=notrunc status=none

  case_of "NBD${damaged:+, damaged}"
  serve "$intact" verity open image hash --root-hash-file root --nbd sock
  attach -readonly
  equal "$(blockdev --getro /dev/nbd0)" 1 'read-only'
  [[ $damaged ]] || cmp -n "$(stat -c %s good)" /dev/nbd0 good
  mount -t erofs -o ro /dev/nbd0 mnt
  check_tree
  umount mnt
  detach
  stop

  case_of "FUSE${damaged:+, damaged}"
  : > view
  serve "$intact" verity open image hash --root-hash-file root --fuse view
  mount_file view mnt
  equal "$(mount_type "$PWD/mnt")" erofs 'what is mounted'
  [[ -z $(losetup -a) ]] || fail 'by a loop device'
  check_tree
  umount mnt
  stop
done

# disk_is_good: the ext4 in the file `disk` is in order and holds the tree.
disk_is_good() {
  expect 0 e2fsck -fn disk
  mount -o ro,loop disk mnt
  diff -r tree mnt/tree
  umount mnt
}
case_of "a file system made and written over NBD"
truncate -s 64M disk
serve "$intact" open disk --nbd sock
attach
mkfs.ext4 -q /dev/nbd0
mount /dev/nbd0 mnt
cp -a tree mnt/
sync
fstrim mnt
umount mnt
detach
stop
disk_is_good

case_of "a file system made and written in a FUSE file"
rm disk
truncate -s 64M disk
: > view
serve "$intact" open disk --fuse view
loop=$(losetup --find --show view)
mkfs.ext4 -q "$loop"
mount "$loop" mnt
cp -a tree mnt/
umount mnt
losetup -d "$loop"
stop
disk_is_good

case_of "a disk of 4096-byte sectors, zeroed in smaller pieces"
head -c 1048576 /dev/urandom > disk
cp disk expected
loop=$(losetup --find --show --sector-size 4096 disk)
equal "$(blockdev --getss "$loop")" 4096 'its sectors'
: > view
serve "$intact" open "$loop" --format raw --fuse view
# A loop device on it passes on what is discarded, as zeros.
upper=$(losetup --find --show --sector-size 512 view)
blkdiscard -o 512 -l 1024 "$upper"
blkdiscard -o 8192 -l 8192 "$upper"
losetup -d "$upper"
stop
blockdev --flushbufs "$loop"
losetup -d "$loop"
dd if=/dev/zero of=expected bs=512 seek=1 count=2 conv=notrunc status=none
dd if=/dev/zero of=expected bs=4096 seek=2 count=2 conv=notrunc status=none
cmp disk expected
