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

# A FUSE server says who owns its files. That a policy is root's there means nothing, unless the server is.
if ((EUID == 0)); then
  mkdir "$work/root" && chmod 755 "$work" "$work/root"
  expect 0 "$intact" trust add "$work/key.pub" --any --policy "$work/root/policy.json"
  expect 0 "$intact" seal "rootfs:$work/root" "oci:$work/policy:1.0" --owner 0 --key "$work/key.key" --password-file "$work/password"
  chmod -R go+rX "$work/policy"
  expect 0 as_user "$intact" pull "oci:$work/policy:1.0" policy --pub "$work/key.pub"
  # Root has a memory of its own: that of another user is not believed.
  expect 5 "$intact" pull --store "$work/store" "oci:$work/policy:1.0" app --pub "$work/key.pub"
  said "$work/user: owned by user"
  as_root() { XDG_CONFIG_HOME=$work/root INTACT_STATE=$work/root/state INTACT_STORE=$work/store "$@"; }
  expect 0 as_root "$intact" pull "oci:$work/policy:1.0" app --pub "$work/key.pub"
  printf 'user_allow_other\n' > "$work/fuse.conf"
  export work mnt intact
  export -f as_user
  in_namespace() {
    unshare -m --propagation private bash -ec '
      [[ ! -e /etc/fuse.conf ]] || mount --bind "$work/fuse.conf" /etc/fuse.conf
      mounter=$1; shift
      $mounter "$intact" mount policy "$mnt" --pub "$work/key.pub" --allow-other
      status=0
      [[ $(stat -c %u "$mnt/policy.json") == 0 ]]
      XDG_CONFIG_HOME=$work/root INTACT_STATE=$work/root/state "$intact" verify --store "$work/store" app --policy "$mnt/policy.json" || status=$?
      $mounter "$intact" umount "$mnt"
      exit $status' bash "$@"
  }
  chmod 755 "$work/user" && chown root "$work/user"
  # The mount point is the user's own, but what it is mounted on hides that.
  mnt=$work/user/mnt
  expect 5 in_namespace as_user
  said "$mnt: owned by user $(id -u nobody), who could change what is trusted"
  # Twin: the same file from a server of root's.
  chown root "$mnt" "$work/user"
  expect 0 as_root "$intact" pull "oci:$work/policy:1.0" policy --pub "$work/key.pub"
  expect 0 as_root in_namespace env
  said "is intact"
fi
