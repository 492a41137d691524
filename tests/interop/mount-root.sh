#!/usr/bin/env bash
# The mount shows what umoci unpacks, file by file, as root.
. "$(dirname "$0")/lib.sh"
requires_root
requires_fuse
requires getfattr umoci
pulled_image
unpack_image "$work/layout" latest
mkdir "$work/mnt"
# Nobody would see a mount over the root directory, or end it.
expect 2 unshare --mount "$intact" mount app / --pub "$work/key.pub"
said '^intact: /: cannot mount there; choose a directory below it'
expect 0 "$intact" mount app "$work/mnt" --pub "$work/key.pub"
same_trees "$work/unpacked/rootfs" "$work/mnt"

# The mount is what the contract says: read-only, nosuid, nodev.
options=$(awk -v at="$work/mnt" '$5 == at { print $6 }' /proc/self/mountinfo)
for option in ro nosuid nodev; do [[ ,$options, == *,$option,* ]] || fail "not mounted $option: $options"; done
! touch "$work/mnt/new" 2> /dev/null || fail "a file was made"
! rm "$work/mnt/etc/motd" 2> /dev/null || fail "a file was removed"
! chmod 600 "$work/mnt/etc/motd" 2> /dev/null || fail "a mode was changed"

# Directories have two links and one for each directory in them; sizes, blocks and statfs make sense.
find "$work/mnt" -type d -printf '%n %p\n' | while read -r links dir; do
  equal "$links" "$(($(find "$dir" -mindepth 1 -maxdepth 1 -type d | wc -l) + 2))" "links of $dir"
done
blocks=$(stat -c %b "$work/mnt/usr/share/large")
((blocks * 512 >= 3000001 && blocks * 512 < 3000001 + 4096)) || fail "st_blocks of a large file: $blocks"
(($(stat -f -c %b "$work/mnt") > 0)) || fail "statfs knows no blocks"
# Reading in any order and size gives the same bytes.
cmp <(dd if="$work/mnt/usr/share/large" bs=777 skip=1000 count=50 status=none) \
  <(dd if="$work/unpacked/rootfs/usr/share/large" bs=777 skip=1000 count=50 status=none)

# A busy name, a place that is not a directory, and the end.
expect 0 "$intact" umount "$work/mnt"
[[ -z $(ls -A "$work/mnt") ]] || fail "still mounted"
if command -v jq > /dev/null; then
  expect 0 "$intact" mount app "$work/mnt" --pub "$work/key.pub" --json
  jq -e --arg at "$work/mnt" '.name == "app" and .directory == $at and .method == "fuse" and (.log | type == "string")' \
    "$work/out" > /dev/null || fail "mount --json prints $(cat "$work/out")"
  expect 0 "$intact" umount app
fi
expect 2 "$intact" mount app "$work/mnt" --pub "$work/key.pub" --json --foreground
said '--foreground'
expect 7 "$intact" mount app "$work/nowhere" --pub "$work/key.pub"
said 'nowhere: No such file or directory'
expect 7 "$intact" mount nothing "$work/mnt" --pub "$work/key.pub"
said 'nothing: no such image in the store'

# Another user owns a directory above the mount point and puts a link in its place while umount waits for a busy mount:
# what is mounted behind the link stays.
them() { setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; }
mkdir -p "$work/theirs/a/mnt" "$work/victim/mnt"
chown -R nobody "$work/theirs" && chmod 755 "$work" "$work/victim"
mount -t tmpfs victim "$work/victim/mnt"
expect 0 "$intact" mount app "$work/theirs/a/mnt" --pub "$work/key.pub" --allow-other
exec 9< "$work/theirs/a/mnt/etc/motd"
(sleep 0.06; them mv "$work/theirs/a" "$work/theirs/b"; them ln -s "$work/victim" "$work/theirs/a") &
# Which error it is depends on the moment; the mount is busy in any case.
! "$intact" umount app 2> "$work/err" || fail "umount of a busy mount"
grep -qE '^intact: .+: .+' "$work/err" || fail "no reason: $(cat "$work/err")"
wait $!
exec 9<&-
mountpoint -q "$work/victim/mnt" || fail "umount ended another mount"
mountpoint -q "$work/theirs/b/mnt" || fail "the mount is gone"
# Twin: where nothing was changed.
expect 0 "$intact" umount "$work/theirs/b/mnt"
! mountpoint -q "$work/theirs/b/mnt" || fail "still mounted"
umount "$work/victim/mnt"
