#!/usr/bin/env bash
# `mount --method kernel`: EROFS and overlayfs with verity=require over objects with fs-verity show what
# the FUSE mount shows, refuse what is damaged, and keep gc away for as long as they are mounted.
. "$(dirname "$0")/guest-lib.sh"
verity_store "$work/disk"
pulled_image
fuse=$work/fuse kernel=$work/kernel hand=$work/hand
mkdir "$fuse" "$kernel" "$hand" "$work/metadata"
mount_app() { "$intact" mount app "$kernel" --pub "$key" "$@"; }
image=$(echo "$INTACT_STORE"/images/*)
large=$INTACT_STORE/objects

case_of "pull gives the image and every object the fs-verity digest that is their name"
while read -r file; do
  hex=${file#"$INTACT_STORE"/objects/} hex=${hex#"$INTACT_STORE"/images/}
  equal "$(fsverity measure "$file" | cut -d ' ' -f 1)" "sha256:${hex/\//}" "digest of $file"
done < <(find "$INTACT_STORE/objects" "$INTACT_STORE/images" -type f)

case_of "the same tree as by FUSE"
expect 0 mount_app --method kernel
said 'by the kernel'
equal "$(mount_type "$kernel")" overlay
options=$(awk -v at="$kernel" '$5 == at { print $6 "," $NF }' /proc/self/mountinfo)
for option in ro nosuid nodev verity=require metacopy=on; do
  [[ ,$options, == *,$option,* ]] || fail "not mounted $option: $options"
done
expect 0 "$intact" mount app "$fuse" --pub "$key" --method fuse
equal "$(mount_type "$fuse")" fuse.intact
same_trees "$fuse" "$kernel"

case_of "the same tree as by mount(8), as composefs mounts"
mount -t erofs -o ro "$image" "$work/metadata"
mount -t overlay composefs "$hand" -o ro,metacopy=on,redirect_dir=on,verity=require \
  -o "lowerdir=$work/metadata::$INTACT_STORE/objects"
same_trees "$hand" "$kernel"
umount "$hand" "$work/metadata"
expect 0 "$intact" umount "$fuse"

case_of "the ways of older kernels"
[[ -x /build/tests/kernel_test ]] || fail "kernel_test is not built"
expect 0 env INTACT_TEST_IMAGE="$image" INTACT_TEST_OBJECTS="$INTACT_STORE/objects" \
  /build/tests/kernel_test
! grep -q SKIPPED "$work/out" || fail "tests were skipped: $(cat "$work/out")"

case_of "nobody else sees how it was made"
equal "$(awk '/erofs/ { n++ } END { print n + 0 }' /proc/self/mountinfo)" 0 "mounts left behind"
expect 8 mount_app --method kernel
said "kernel: 'intact:app' is mounted there"
expect 8 mount_app --method fuse
said "kernel: 'intact:app' is mounted there"

case_of "umount"
exec 3< "$kernel/etc/motd"
expect 8 "$intact" umount "$kernel"
said 'kernel: in use; stop what uses it'
exec 3<&-
expect 0 "$intact" umount "$kernel"
equal "$(ls -A "$kernel")" "" "still mounted"
expect 7 "$intact" umount "$kernel"
said 'kernel: not an Intact mount'

case_of "auto: the kernel where it keeps every promise, else FUSE"
while read -r type options; do
  # shellcheck disable=SC2086
  expect 0 mount_app $options
  equal "$(mount_type "$kernel")" "$type" "with '$options'"
  expect 0 "$intact" umount "$kernel"
done << CASES
overlay --allow-other
overlay --allow-other --method auto --verity require
fuse.intact
fuse.intact --allow-other --verity on
fuse.intact --allow-other --log $work/log
fuse.intact --allow-other --method fuse
CASES

case_of "what makes no sense or is not there"
expect 2 mount_app --method kernel --foreground
said '--method kernel: has no server; leave out --foreground'
expect 2 mount_app --method kernel --log "$work/log"
said '--method kernel: has no server; leave out --foreground'
expect 7 "$intact" mount app "$work/nowhere" --pub "$key" --method kernel
said 'nowhere: No such file or directory'
expect 7 "$intact" mount nothing "$kernel" --pub "$key" --method kernel
said 'nothing: no such image in the store'
expect 5 "$intact" mount app "$kernel" --method kernel
said ': there are no trusted keys; '
touch "$work/file"
expect 2 "$intact" mount app "$work/file" --pub "$key" --method kernel
said 'file: not a directory'
expect 6 setpriv --bounding-set -sys_admin --inh-caps -sys_admin -- \
  "$intact" mount app "$kernel" --pub "$key" --method kernel
said 'method kernel: only root \(CAP_SYS_ADMIN\) can mount; use --method fuse'
equal "$(mount_type "$kernel")" ""
expect 0 "$intact" gc
equal "$(ls "$INTACT_STORE/leases")" "" "leases"

case_of "run: the root of a container by the kernel"
root=$work/root
mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,var/tmp}
: > "$root/etc/hosts"
cp "$(command -v busybox)" "$root/bin"
head -c 300000 /dev/urandom > "$root/large"
expect 0 "$intact" seal "rootfs:$root" "oci:$work/roots:x" --key /host/key.key --password-file /host/password
expect 0 "$intact" pull "oci:$work/roots:x" root --pub "$key"
# run_root STATUS [OPTION...] [-- COMMAND...]
run_root() {
  local status=$1 options=()
  shift
  while (($# > 0)) && [[ $1 != -- ]]; do options+=("$1"); shift; done
  expect "$status" "$intact" run --pub "$key" --runtime crun "${options[@]}" root "$@"
}
root_is() { grep -qE " / / ro,.* - $1" "$work/out" || fail "the root is not $1: $(cat "$work/out")"; }
shows=(-- /bin/busybox sh -c 'busybox sha256sum < /large; busybox grep " / / " /proc/self/mountinfo')
sum=$(sha256sum < "$root/large")
while read -r type options; do
  # shellcheck disable=SC2086
  run_root 0 $options "${shows[@]}"
  root_is "$type"
  equal "$(head -1 "$work/out")" "$sum" "content with '$options'"
done << CASES
overlay --method kernel
overlay --method kernel --verity on
overlay
fuse --method fuse
fuse --verity on
CASES
run_root 0 --rw -- /bin/busybox sh -c 'echo x > /new'
run_root 125 --method kernel --rw "${shows[@]}"
said '--rw: not possible with --method kernel'
run_root 125 --method other "${shows[@]}"
said '--method other: not one of auto, fuse and kernel'
# An image that lacks what a container mounts on is for FUSE, which adds it.
expect 125 "$intact" run --pub "$key" --method kernel --entrypoint true app
said 'lacks places to mount on: /var/tmp'
expect 0 "$intact" run --pub "$key" --entrypoint true app
# What is damaged cannot be read; what has no digest is not mounted.
object=$INTACT_STORE/objects/$(object_of "$root/large")
mv "$object" "$work/disk/saved"
cp "$work/disk/saved" "$object"
run_root 125 --method kernel "${shows[@]}"
said '1 of . objects have no fs-verity'
run_root 0 "${shows[@]}"
root_is fuse
flip "$object" 5000
fsverity enable "$object"
run_root 0 --method kernel "${shows[@]}"
said "can't open /large|Input/output error|I/O error"
! grep -q "^[0-9a-f]\{64\}" "$work/out" || fail "a damaged file was read"
mv -f "$work/disk/saved" "$object"
expect 0 "$intact" rm root
equal "$(awk '/erofs|intact:root/ { n++ } END { print n + 0 }' /proc/self/mountinfo)" 0 "mounts left behind"
expect 0 "$intact" gc
equal "$(ls "$INTACT_STORE/leases")" "" "leases"

case_of "a process that is killed leaves all of the mount or nothing"
fully=0
for ((i = 0; i < 12; i++)); do
  "$intact" mount app "$kernel" --pub "$key" --method kernel > "$work/out" 2>&1 &
  killed=$!
  sleep "0.$((i * 7 + 10))"
  kill -KILL "$killed" 2> /dev/null || :
  wait "$killed" 2> /dev/null || :
  equal "$(awk '/erofs/ { n++ } END { print n + 0 }' /proc/self/mountinfo)" 0 "mounts left behind"
  if [[ -n $(mount_type "$kernel") ]]; then
    fully=$((fully + 1))
    [[ -n $(cat "$kernel/etc/motd") ]]
    expect 0 "$intact" umount "$kernel"
  fi
done
printf '%d of 12 had mounted before they were killed\n' "$fully"
expect 0 "$intact" gc
equal "$(ls "$INTACT_STORE/leases")" "" "leases"

case_of "an object that is replaced cannot be read, everything else can"
expect 0 mount_app --method kernel
large=$INTACT_STORE/objects/$(object_of "$kernel/usr/share/large")
cp "$kernel/usr/share/large" "$work/large"
expect 0 "$intact" umount "$kernel"
mv "$large" "$work/disk/saved"
for how in "same bytes, no fs-verity" "other bytes, other digest" "gone"; do
  case $how in
    same*) cp "$work/large" "$large" ;;
    other*)
      cp "$work/large" "$large"
      flip "$large" 1500000
      fsverity enable "$large"
      ;;
  esac
  # What is mounted before is refused just as what is mounted afterwards.
  mv "$large" "$work/disk/bad" 2> /dev/null || :
  mv "$work/disk/saved" "$large"
  expect 0 mount_app --method kernel
  mv "$large" "$work/disk/saved"
  mv "$work/disk/bad" "$large" 2> /dev/null || :
  expect 1 cat "$kernel/usr/share/large"
  equal "$(stat -c %s "$work/out")" 0 "bytes of a damaged file ($how)"
  cmp "$kernel/usr/share/same" <(head -c 100000 "$kernel/usr/share/same-content")
  equal "$(stat -c %s "$kernel/usr/share/large")" 3000001
  expect 0 "$intact" umount "$kernel"
  if [[ $how == other* ]]; then
    expect 0 mount_app --method kernel
    expect 1 cat "$kernel/usr/share/large"
    said 'Input/output error'
    expect 0 "$intact" umount "$kernel"
  else
    # Nothing has been mounted: the kernel could check but a part of it.
    expect 6 mount_app --method kernel
    if [[ $how == gone ]]; then said '1 of 15 objects are missing from the store'; else said '1 of 15 objects have no fs-verity'; fi
    equal "$(mount_type "$kernel")" ""
    expect 0 mount_app --allow-other
    equal "$(mount_type "$kernel")" fuse.intact
    expect 0 "$intact" umount "$kernel"
  fi
  rm -f "$large"
done
mv "$work/disk/saved" "$large"
expect 0 mount_app --method kernel
cmp "$kernel/usr/share/large" "$work/large"
expect 0 "$intact" umount "$kernel"

case_of "fs-verity itself: a page that the disk has changed"
offset=$(debugfs -R "blocks /store/objects/${large#"$INTACT_STORE"/objects/}" "$(losetup -j "$work/disk-disk" | cut -d : -f 1)" 2> /dev/null | awk '{ print $367 * 4096 }')
umount "$work/disk"
flip "$work/disk-disk" "$offset"
mount "$(losetup -j "$work/disk-disk" | cut -d : -f 1)" "$work/disk"
expect 0 mount_app --method kernel
expect 1 dd if="$kernel/usr/share/large" bs=4096 skip=366 count=1
said 'Input/output error'
cmp -n 400000 "$kernel/usr/share/large" "$work/large"
expect 0 "$intact" umount "$kernel"
umount "$work/disk"
flip "$work/disk-disk" "$offset"
mount "$(losetup -j "$work/disk-disk" | cut -d : -f 1)" "$work/disk"
expect 0 mount_app --method kernel
cmp "$kernel/usr/share/large" "$work/large"
expect 0 "$intact" umount "$kernel"

case_of "--verity on, validate and off"
mv "$large" "$work/disk/saved"
cp "$work/large" "$large"
for mode in on validate; do
  expect 6 mount_app --method kernel --verity "$mode"
  said '1 of .* objects have no fs-verity'
done
expect 0 mount_app --method kernel --verity off
said 'warning: --verity off'
cmp "$kernel/usr/share/large" "$work/large"
expect 0 "$intact" umount "$kernel"
mv "$work/disk/saved" "$large"
for mode in on validate; do
  expect 0 mount_app --method kernel --verity "$mode"
  options=$(awk -v at="$kernel" '$5 == at { print $NF }' /proc/self/mountinfo)
  [[ ,$options, == *,verity=on,* ]] || fail "--verity $mode mounts $options"
  expect 0 "$intact" umount "$kernel"
done

case_of "an image that is replaced"
mv "$image" "$work/disk/saved"
cp "$work/disk/saved" "$image"
expect 6 mount_app --method kernel
said 'no fs-verity'
expect 0 mount_app --allow-other
equal "$(mount_type "$kernel")" fuse.intact
expect 0 "$intact" umount "$kernel"
flip "$image" 5000
fsverity enable "$image"
for options in '--method kernel' --allow-other; do
  # shellcheck disable=SC2086  # words
  expect 3 mount_app $options
  said 'the kernel measures sha256:[0-9a-f]{64} for the image, not sha256:[0-9a-f]{64}|does not match its hash|damaged'
done
equal "$(mount_type "$kernel")" ""
rm "$image"
mv "$work/disk/saved" "$image"

case_of "gc leaves a mount its objects until it is gone everywhere"
left() { find "$INTACT_STORE/objects" "$INTACT_STORE/images" -type f | wc -l; }
all=$(left)
expect 0 mount_app --method kernel
expect 0 "$intact" rm app
expect 0 "$intact" gc
equal "$(left)" "$all" "files in the store"
cmp "$kernel/usr/share/large" "$work/large"
# A second name of the same mount, and the first one is gone.
mkdir "$work/bind"
mount --bind "$kernel" "$work/bind"
expect 0 "$intact" umount "$kernel"
expect 0 "$intact" gc
equal "$(left)" "$all" "files in the store"
# In another mount namespace only, and out of sight everywhere but still in use.
unshare --mount --propagation private sleep 1000 &
sleeper=$!
await eval '[[ $(readlink "/proc/$sleeper/ns/mnt") != "$(readlink /proc/self/ns/mnt)" ]]'
umount "$work/bind"
expect 0 "$intact" gc
equal "$(left)" "$all" "files in the store"
cat "/proc/$sleeper/root$work/bind/usr/share/large" | cmp - "$work/large"
exec 3< "/proc/$sleeper/root$work/bind/usr/share/same"
kill "$sleeper"
wait "$sleeper" || :
expect 0 "$intact" gc
equal "$(left)" "$all" "files in the store"
exec 3<&-
# The last user is gone; the kernel takes a moment.
nothing_left() { expect 0 "$intact" gc; (($(left) == 0)); }
await nothing_left
equal "$(ls "$INTACT_STORE/leases")" "" "leases"

case_of "a store that got fs-verity late: a pull with --verify corrects it"
umount "$work/disk"
mkdir "$work/late"
device=$(new_disk "$work/disk-late" 64M)
mount "$device" "$work/late"
export INTACT_STORE=$work/late/store
pulled_image
expect 6 mount_app --method kernel
said 'no fs-verity'
umount "$work/late"
tune2fs -O verity "$device" > /dev/null
mount "$device" "$work/late"
expect 6 mount_app --method kernel
said 'pull it again with --verify'
expect 0 "$intact" pull "oci:$layout:latest-sealed" app --pub "$key" --verify
expect 0 mount_app --method kernel
cmp "$kernel/usr/share/large" "$work/large"
expect 0 "$intact" umount "$kernel"
