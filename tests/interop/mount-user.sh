#!/usr/bin/env bash
# The mount shows what umoci unpacks, file by file, as an ordinary user; others do not see it.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires getfattr umoci
user_space
sealed_image
chmod 644 "$work/key.pub"
expect 0 as_user "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
expect 0 as_user "$intact" verify app --pub "$work/key.pub"
unpack_image "$work/layout" latest
((EUID == 0)) || export OWNERS=no
list_tree "$work/unpacked/rootfs" > "$work/want"
mnt=$work/user/mnt
expect 0 as_user "$intact" mount app "$mnt" --pub "$work/key.pub"
export -f list_tree
as_user bash -c 'list_tree "$1"' bash "$mnt" > "$work/got"
(($(wc -l < "$work/got") > 50)) || fail "the mount is all but empty"
same "$work/want" "$work/got"
if ((EUID == 0)); then
  ! ls "$mnt" > /dev/null 2>&1 || [[ -n $(< /sys/module/fuse/parameters/allow_sys_admin_access) ]] ||
    fail "another user sees the mount"
fi
expect 0 as_user "$intact" umount "$mnt"
[[ -z $(ls -A "$mnt") ]] || fail "still mounted"
# The other way to end it.
expect 0 as_user "$intact" mount app "$mnt" --pub "$work/key.pub"
as_user fusermount3 -u "$mnt"
expect 0 as_user "$intact" mount app "$mnt" --pub "$work/key.pub"
as_user cat "$mnt/etc/motd" > /dev/null
expect 0 as_user "$intact" umount "$mnt"
