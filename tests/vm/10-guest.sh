#!/usr/bin/env bash
# The guest has what the other scripts take for granted: a kernel of the right age with every feature
# that they put to the test.
. "$(dirname "$0")/guest-lib.sh"

case_of "kernel 6.12 or later"
IFS=.- read -r major minor _ <<< "$(uname -r)"
((major > 6 || (major == 6 && minor >= 12))) || fail "the kernel is $(uname -r)"

case_of "file systems and block targets"
for module in ext4 erofs squashfs overlay fuse nbd loop dm-verity dm-integrity dm-crypt dm-flakey \
  dm-log-writes; do
  modprobe "$module" || fail "no module $module"
done
for type in ext4 erofs squashfs overlay fuse; do
  grep -qw "$type" /proc/filesystems || fail "no $type"
done
for target in verity integrity crypt linear; do
  dmsetup targets | finds "^$target " || fail "no target $target"
done

case_of "fs-verity"
verity_store "$work/verity"
head -c 100000 /dev/urandom > "$work/verity/file"
fsverity enable "$work/verity/file"
equal "$(fsverity measure "$work/verity/file" | cut -d ' ' -f 1)" \
  "$(fsverity digest "$work/verity/file" | cut -d ' ' -f 1)" "measured digest"
expect 1 dd if=/dev/null of="$work/verity/file" conv=notrunc oflag=append
said 'not permitted'

case_of "FUSE"
mkdir "$work/mnt"
pulled_image
expect 0 "$intact" mount app "$work/mnt" --pub "$key" --method fuse
equal "$(cat "$work/mnt/etc/motd")" "of the second layer"
expect 0 "$intact" umount "$work/mnt"

case_of "runtimes"
expect 0 "$intact" run --pub "$key" app
said 'hello from small image'
