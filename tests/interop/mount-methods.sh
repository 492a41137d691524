#!/usr/bin/env bash
# Where the kernel cannot check by itself, since no file of the store has fs-verity, --method kernel says
# so and mounts nothing, and auto takes FUSE. tests/vm has the cases where it can.
. "$(dirname "$0")/lib.sh"
requires_root
requires_fuse
mkdir "$work/tmpfs" "$work/mnt"
mount -t tmpfs tmpfs "$work/tmpfs" || skip "may not mount"
export INTACT_STORE=$work/tmpfs/store
pulled_image
mount_app() { "$intact" mount app "$work/mnt" --pub "$work/key.pub" "$@"; }
type_of_mount() { awk -v at="$work/mnt" '$2 == at { print $3 }' /proc/self/mounts; }

expect 6 mount_app --method kernel
said 'no fs-verity'
equal "$(type_of_mount)" ""
equal "$(ls "$INTACT_STORE/leases")" "" "leases"
expect 2 mount_app --method kernel --foreground
said '--method kernel.*--foreground|--foreground'
expect 5 "$intact" mount app "$work/mnt" --method kernel
said ': there are no trusted keys; '

for options in "" "--allow-other" "--allow-other --method auto" "--method fuse"; do
  # shellcheck disable=SC2086
  expect 0 mount_app $options
  equal "$(type_of_mount)" fuse.intact
  [[ -n $(cat "$work/mnt/etc/motd") ]] || fail "an empty file"
  expect 0 "$intact" umount "$work/mnt"
done
