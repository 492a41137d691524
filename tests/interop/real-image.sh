#!/usr/bin/env bash
# The main job on a real image of Debian packages: seal, pull, verify, mount, compare, run, damage.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires umoci jq fsverity getfattr
image=$(real_image) || skip "the test image cannot be made here"
make_keys
cp -a "$image" "$work/layout"
expect 0 "$intact" seal "oci:$work/layout:latest" --key "$work/key.key" --password-file "$work/password" \
  --identity example.org/debian:12
user_space
chmod 644 "$work/key.pub"
expect 0 as_user "$intact" pull "oci:$work/layout:latest-sealed" debian --pub "$work/key.pub"
expect 0 as_user "$intact" verify debian --pub "$work/key.pub"
unpack_image "$work/layout" latest
((EUID == 0)) || export OWNERS=no
list_tree "$work/unpacked/rootfs" > "$work/want"
mnt=$work/user/mnt
expect 0 as_user "$intact" mount debian "$mnt" --pub "$work/key.pub"
export -f list_tree
as_user bash -c 'list_tree "$1"' bash "$mnt" > "$work/got"
(($(wc -l < "$work/got") > 10000)) || fail "the mount is all but empty"
same "$work/want" "$work/got"

# Behind the mount's back; the file has not been read in this mount before.
expect 0 as_user "$intact" umount "$mnt"
expect 0 as_user "$intact" mount debian "$mnt" --pub "$work/key.pub"
python=$(cd "$work/unpacked/rootfs" && echo usr/bin/python3.*[0-9])
flip "$INTACT_STORE/objects/$(object_of "$work/unpacked/rootfs/$python")" 3000000
expect 1 as_user cat "$mnt/$python"
said 'Input/output error'
cmp "$work/unpacked/rootfs/bin/bash" <(as_user cat "$mnt/bin/bash")
expect 3 as_user "$intact" verify debian --pub "$work/key.pub"
said "$python"
flip "$INTACT_STORE/objects/$(object_of "$work/unpacked/rootfs/$python")" 3000000
expect 0 as_user "$intact" umount "$mnt"

if command -v runc > /dev/null; then
  expect 0 as_user "$intact" run --pub "$work/key.pub" debian
  said 'a verified root says hello'
  expect 0 as_user "$intact" run --pub "$work/key.pub" debian openssl version
  said '^OpenSSL 3'
fi
