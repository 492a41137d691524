# Sourced as the first thing by scripts that use the program and are to leave nothing of it behind. Root's
# policy and what root has pulled are in /etc/intact whatever the environment says, and machines without
# udev may keep /dev/fuse from ordinary users. So root gets a mount namespace, in which /etc/intact is
# empty and everybody may use FUSE. The script begins anew in there.
# shellcheck shell=bash
if ((EUID == 0)) && [[ ${INTACT_OWN_MOUNTS:-} != 1 ]] && unshare --mount true 2> /dev/null; then
  export INTACT_OWN_MOUNTS=1
  # shellcheck disable=SC2016
  exec unshare --mount --propagation private bash -euc '
    if mkdir -p /etc/intact 2> /dev/null; then
      mount -t tmpfs -o mode=755 intact /etc/intact
    fi
    if [[ -c /dev/fuse && $(stat -c %a /dev/fuse) != *6 ]]; then
      dir=$(mktemp -d)
      mount -t tmpfs -o mode=755 fuse "$dir"
      mknod -m 666 "$dir/fuse" c 10 229
      mount --bind "$dir/fuse" /dev/fuse
      umount -l "$dir"
      rmdir "$dir"
    fi
    exec bash "$0" "$@"' "$0" "$@"
fi
