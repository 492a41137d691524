#!/usr/bin/env bash
# One flipped byte in an object, in the image or in a Merkle tree: the read that meets it fails with an
# input/output error, and only that one; turned back, it reads again.
. "$(dirname "$0")/lib.sh"
requires_fuse
requires fsverity umoci
pulled_image
unpack_image "$work/layout" latest
rootfs=$work/unpacked/rootfs
mkdir "$work/mnt"
mnt=$work/mnt
mount_app() { "$intact" mount app "$mnt" --pub "$work/key.pub"; }
block() { dd if="$1" bs=4096 skip="$2" count=1 status=none; }
large=$INTACT_STORE/objects/$(object_of "$rootfs/usr/share/large")

# The undamaged twin.
expect 0 mount_app
cmp "$mnt/usr/share/large" "$rootfs/usr/share/large"
expect 0 "$intact" umount "$mnt"

# An object, flipped behind the mount's back.
expect 0 mount_app
flip "$large" 1500000 # block 366
expect 1 block "$mnt/usr/share/large" 366
said 'Input/output error'
# A reader that asks for more at once gets nothing of the bad page and all of the good ones before it.
expect 1 cat "$mnt/usr/share/large"
said 'usr/share/large: Input/output error'
for number in 0 300 365 367 732; do
  cmp <(block "$mnt/usr/share/large" "$number") <(block "$rootfs/usr/share/large" "$number")
done
# Everything else still reads.
(cd "$rootfs" && find . -type f ! -name large -print0) | while IFS= read -r -d '' file; do
  cmp "$rootfs/$file" "$mnt/$file"
done
expect 3 "$intact" verify app --pub "$work/key.pub"
said 'usr/share/large'
# Turned back it reads, in the same mount.
flip "$large" 1500000
cmp "$mnt/usr/share/large" "$rootfs/usr/share/large"
expect 0 "$intact" umount "$mnt"
expect 0 "$intact" verify app --pub "$work/key.pub"

# An object that is shorter, longer, gone, or not a file.
expect 0 mount_app
cp "$large" "$work/saved"
chmod u+w "$large"
truncate -s -1 "$large"
expect 1 cat "$mnt/usr/share/large"
said 'usr/share/large: Input/output error'
expect 0 "$intact" umount "$mnt"
for how in shorter longer gone symlink directory; do
  rm -rf "$large"
  case $how in
    shorter) head -c 100000 "$work/saved" > "$large" ;;
    longer) cat "$work/saved" - <<< more > "$large" ;;
    symlink) ln -s "$work/saved" "$large" ;;
    directory) mkdir "$large" ;;
    gone) ;;
  esac
  expect 0 mount_app
  expect 1 cat "$mnt/usr/share/large"
  said 'usr/share/large: Input/output error'
  cmp "$mnt/usr/share/same" "$rootfs/usr/share/same"
  expect 0 "$intact" umount "$mnt"
  expect 3 "$intact" verify app --pub "$work/key.pub"
  said 'usr/share/large'
done
rm -rf "$large"
cp "$work/saved" "$large"
expect 0 "$intact" verify app --pub "$work/key.pub"

# Every block of the image: either the mount is refused, or what is read is right or an error.
image=$(echo "$INTACT_STORE"/images/*)
blocks=$((($(stat -c %s "$image") + 4095) / 4096))
list_names() { find "$1" -printf '%P %y %m %s %T@ %l\n' 2> /dev/null | grep -v '^[^ ]* d' | sort; }
list_names "$rootfs" > "$work/names.want"
bad=0
for ((i = 0; i < blocks; i++)); do
  flip "$image" $((i * 4096 + 1))
  if mount_app > "$work/out" 2>&1; then
    list_names "$mnt" > "$work/names.got" || :
    # What is shown is true, though there may be less of it.
    [[ -z $(comm -13 "$work/names.want" "$work/names.got") ]] || fail "block $i: a lie about a file"
    cmp -s "$work/names.want" "$work/names.got" || bad=$((bad + 1))
    "$intact" umount "$mnt"
  else
    bad=$((bad + 1))
  fi
  expect 3 "$intact" verify app --pub "$work/key.pub"
  said "^DAMAGED \(image metadata\): block $i "
  flip "$image" $((i * 4096 + 1))
done
mv "$image" "$work/saved"
expect 3 mount_app
said "${image##*/}"
mv "$work/saved" "$image"
((bad > 0)) || fail "no flipped byte of the image was ever noticed"
expect 0 mount_app
list_names "$mnt" > "$work/names.got"
same "$work/names.want" "$work/names.got"
expect 0 "$intact" umount "$mnt"

# The stored Merkle trees: flipped or cut they may cost the file, never give wrong bytes.
for tree in "$INTACT_STORE"/trees/*; do
  size=$(stat -c %s "$tree")
  for at in 0 $((size / 3)) $((size / 2)) $((size - 1)); do
    flip "$tree" "$at"
    if mount_app > "$work/out" 2>&1; then
      cat "$mnt/usr/share/large" > "$work/read" 2> /dev/null || :
      cmp -s -n "$(stat -c %s "$work/read")" "$work/read" "$rootfs/usr/share/large" || fail "wrong bytes"
      "$intact" umount "$mnt"
    fi
    flip "$tree" "$at"
  done
done

# In the foreground the log goes to stderr. A program that splices a damaged file into the same pipe keeps that
# locked until its read is answered, so the server must not wait for the pipe.
if command -v busybox > /dev/null; then
  rm -rf "$large"
  cp "$rootfs/usr/share/large" "$large"
  flip "$large" 5000 # in the first request
  {
    "$intact" mount app "$mnt" --pub "$work/key.pub" --foreground &
    server=$!
    await mountpoint -q "$mnt"
    # A server that is stuck in the pipe cannot even be killed before the mount is torn down.
    # What waits for that must not hold the pipe open itself.
    (trap 'kill $!' TERM; sleep 300 & wait $! && { umount -f "$mnt"; kill -KILL "$server"; }) > /dev/null 2>&1 &
    killer=$!
    busybox cat "$mnt/usr/share/large" || echo "cat failed"
    kill "$killer" && echo "server answered"
    "$intact" umount "$mnt"
    wait "$server" && echo "server ended well"
  } 2>&1 | cat > "$work/piped"
  for line in 'cat failed' 'server answered' 'server ended well'; do
    grep -aq "$line" "$work/piped" || fail "not in the output of a mount in the foreground: $line"
  done
  equal "$(grep -ac 'DAMAGED /usr/share/large: block 1 ' "$work/piped")" 1 'lines about damage'
fi
