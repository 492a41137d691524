#!/usr/bin/env bash
# The image that pull stores is an EROFS to fsck.erofs and to the kernel, which shows the same names.
. "$(dirname "$0")/lib.sh"
requires fsck.erofs jq
pulled_image
image=$(echo "$INTACT_STORE"/images/*)
expect 0 fsck.erofs "$image"
requires_root
requires umoci
grep -qw erofs /proc/filesystems || modprobe erofs 2> /dev/null || skip "the kernel has no EROFS"
mkdir "$work/mnt"
mount -t erofs -o loop,ro "$image" "$work/mnt" 2> "$work/err" || skip "no EROFS mount here: $(cat "$work/err")"
unpack_image "$work/layout" latest
# The 256 whiteouts of the root are an overlayfs's business; so are contents.
facts() { (cd "$1" && find . ! -regex '\./[0-9a-f][0-9a-f]' -printf '%p %y %m %U:%G %T@ %l\n' | sort); }
facts "$work/unpacked/rootfs" > "$work/want"
facts "$work/mnt" > "$work/got"
same "$work/want" "$work/got"
umount "$work/mnt"
