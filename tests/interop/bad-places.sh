#!/usr/bin/env bash
# Places that fail: a full or read-only store, sources that cannot be read or end too early. Status 1, a
# clear line, and a store that is as good as before. And metadata images that are damaged.
# shellcheck disable=SC2034
. "$(dirname "$0")/lib-bad.sh"
cp -a "$work/good" "$work/source"
small_image "$work/source" another 'another text'
expect 0 seal "oci:$work/source:another"
dir=$work/source
good=$INTACT_STORE
state=$INTACT_STATE

# fails NAME STATUS REGEX COMMAND...: like refuses, where nothing is written to our files.
fails() {
  current=$1
  refuses "${@:2}"
}

### Sources that cannot be read.
index=$dir/index.json
layer=$(blob "$dir" "$(jq -r '.layers[0].digest' "$(blob "$dir" "$(manifest_digest "$dir" latest-sealed)")")")
user_space
cp "$work/signer.pem" "$work/signer.pub" "$work/user/"
chmod 644 "$work"/user/signer.*
as_them() { as_user "$intact" "$@"; }
expect 0 as_them pull "oci:$dir:another-sealed" app --pub "$work/user/signer.pub"
their_store=$(contents "$INTACT_STORE")
for file in "$index" "$layer"; do
  chmod 000 "$file"
  ((EUID == 0)) || [[ ! -r $file ]] || fail "cannot make $file unreadable"
  expect 1 as_them pull "oci:$dir:latest-sealed" other --pub "$work/user/signer.pub"
  current="unreadable ${file##*/}" clearly 'Permission denied'
  expect 1 as_them seal "oci:$dir:latest" "oci:$work/user/new" --key "$work/user/signer.pem"
  current="unreadable ${file##*/}" clearly 'Permission denied'
  [[ ! -e $work/user/new/index.json ]] || ! grep -q latest "$work/user/new/index.json" || fail "half a seal"
  chmod 644 "$file"
done
expect 0 as_them pull "oci:$dir:latest-sealed" other --pub "$work/user/signer.pub"
expect 0 as_them rm other
expect 0 as_them gc
equal "$(contents "$INTACT_STORE")" "$their_store" "the store of the user"

# A store that nobody may write to.
if ((EUID == 0)); then
  chown -R root "$INTACT_STORE"
  expect 1 as_them pull "oci:$dir:latest-sealed" other --pub "$work/user/signer.pub"
  current='a store without permission' clearly 'Permission denied'
  equal "$(contents "$INTACT_STORE")" "$their_store" "the store of the user"
fi
export INTACT_STORE=$good INTACT_STATE=$state

### Sources that end too early: archives that are cut off, pipes.
expect 0 pull "oci:$dir:latest-sealed" twin
# Records of one block: but for the two blocks of the end, nothing pads the archive.
tar -C "$dir" -b 1 -cf "$work/whole.tar" .
expect 0 pull "oci-archive:$work/whole.tar:latest-sealed" twin
expect 0 "$intact" rm twin
expect 0 "$intact" gc
unchanged_store
size=$(stat -c %s "$work/whole.tar")
gzip -nc < "$work/whole.tar" > "$work/whole.tar.gz"
for at in 100 5000 $((size / 2)) $((size - 1100)); do
  head -c "$at" "$work/whole.tar" > "$work/cut.tar"
  fails "an archive cut at $at" 6 'cut.tar.*cut off' pull "oci-archive:$work/cut.tar:latest-sealed" bad
  fails "an archive cut at $at" 6 'cut.tar.*cut off' seal "oci-archive:$work/cut.tar:latest" "oci:$work/new"
  head -c "$((at / 10 + 50))" "$work/whole.tar.gz" > "$work/cut.tar"
  fails "an archive cut at $at, compressed" 6 'cut.tar.*cut off' pull "oci-archive:$work/cut.tar:latest-sealed" bad
done
mkfifo "$work/pipe"
fails 'a pipe as an archive' 2 'pipe: not a regular file' pull "oci-archive:$work/pipe:latest-sealed" bad
fails 'a pipe as a tar' 2 'pipe: not a regular file' seal "tar:$work/pipe" "oci:$work/new"

### Sources that go away while they are read: the disk behind a mount fails, then its server is killed.
if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  mkdir "$work/box" "$work/lent"
  cp "$work/whole.tar" "$work/box/"
  expect 0 seal "rootfs:$work/box" "oci:$work/boxed:x"
  expect 0 pull "oci:$work/boxed:x" box --store "$work/lender"
  lend() { "$intact" mount box "$work/lent" --pub "$work/signer.pub" --store "$work/lender" --foreground & }
  server_is_up() { await test -e "$work/lent/whole.tar"; }
  far=oci-archive:$work/lent/whole.tar
  lend > /dev/null
  server_is_up
  expect 0 pull "$far:latest-sealed" twin
  expect 0 "$intact" rm twin
  expect 0 "$intact" gc
  unchanged_store
  expect 0 "$intact" umount "$work/lent"
  wait $!
  object=$(find "$work/lender/objects" -type f -size +100k)
  for ((at = 50000; at < size; at += 50000)); do flip "$object" "$at"; done
  lend > /dev/null 2>&1
  server_is_up
  fails 'a disk that fails' 1 'whole.tar.*Input/output error' pull "$far:latest-sealed" bad
  fails 'a disk that fails' 1 'whole.tar.*Input/output error' seal "$far:latest" "oci:$work/new"
  [[ ! -e $work/new ]] || fail "a layout of a source that cannot be read"
  kill -KILL $!
  wait $! 2> /dev/null || :
  fails 'a lost connection' 1 'whole.tar.*not connected' pull "$far:latest-sealed" bad
  fails 'a lost connection' 1 'whole.tar.*not connected' seal "$far:latest" "oci:$work/new"
  fusermount3 -u -z "$work/lent"
fi

### Stores that are full or read-only.
if ((EUID == 0)); then
  mkdir "$work/small"
  mount -t tmpfs -o size=40m,mode=755 small "$work/small"
  cp -a "$good" "$work/small/store"
  small_image "$work/big" latest "$(printf 'another text %.0s' {1..20})"
  expect 0 seal "oci:$work/big:latest"
  dir=$work/big
  expect 0 pull "oci:$dir:latest-sealed" big
  expect 0 "$intact" rm big
  expect 0 "$intact" gc
  INTACT_STORE=$work/small/store
  # For every amount of room up to what it takes: no room, then status 0.
  failed=0
  for ((left = 0; left <= 20000; left += 1000)); do
    head -c 40M /dev/zero > "$work/small/filler" 2> /dev/null || :
    truncate -s "-${left}K" "$work/small/filler" 2> /dev/null || rm -f "$work/small/filler"
    status=0
    pull "oci:$dir:latest-sealed" big > "$work/out" 2> "$work/err" || status=$?
    rm -f "$work/small/filler"
    if ((status != 0)); then
      equal "$status" 1 "status when the store is full"
      current="full but for $left KiB" clearly 'No space left on device'
      failed=$((failed + 1))
      unchanged_store
    fi
    expect 0 "$intact" fsck
    expect 0 "$intact" verify good --pub "$work/signer.pub"
    ((status != 0)) || break
  done
  ((failed > 0)) || fail "the store was never full"
  equal "$status" 0 "status with room enough"
  expect 0 "$intact" rm big
  expect 0 "$intact" gc
  unchanged_store
  mount -o remount,ro "$work/small"
  fails 'a read-only store' 1 'Read-only file system' pull "oci:$dir:latest-sealed" bad
  expect 0 "$intact" verify good --pub "$work/signer.pub"
  # A read-only destination of seal.
  mkdir "$work/fixed"
  mount --bind "$work/big" "$work/fixed"
  mount -o remount,ro,bind "$work/fixed"
  fails 'a read-only layout' 1 'Read-only file system' seal "oci:$work/fixed:latest"
  umount "$work/fixed" "$work/small"
  INTACT_STORE=$good
  # A full one.
  mount -t tmpfs -o size=2m,mode=755 small "$work/small"
  cp -a "$work/big/." "$work/small"
  expect 0 seal "oci:$work/small:latest" # it is sealed already, so that takes next to nothing
  head -c 2M /dev/zero > "$work/small/filler" 2> /dev/null || :
  dir=$work/small
  fails 'a full layout' 1 'No space left on device' seal "oci:$dir:latest" "oci:$dir:new" --identity host/app
  dir=$work/big
  umount "$work/small"
fi

### A user whose files may not grow so large: no reason to die and leave things behind.
limited() { (ulimit -f 100 && "$intact" "$@" --pub "$work/signer.pub"); }
expect 1 limited pull "oci:$work/source:latest-sealed" twin
current='a limit on file sizes' clearly 'File too large'
unchanged_store
expect 1 limited export good "tar:$work/limited.tar"
current='a limit on file sizes' clearly 'File too large'
[[ ! -e $work/limited.tar ]] || fail "half an archive"
expect 0 pull "oci:$work/source:latest-sealed" twin
expect 0 "$intact" rm twin
expect 0 "$intact" gc
unchanged_store

### A user who may have no more threads: no room for their stacks. What several would do one does.
alone() { (ulimit -s $((64 << 20)) -v $((32 << 20)) && "$intact" "$@"); }
expect 0 alone pull "oci:$work/source:latest-sealed" twin --pub "$work/signer.pub"
expect 0 alone verify twin --pub "$work/signer.pub"
expect 0 alone fsck
expect 0 alone rm twin
expect 0 alone gc
unchanged_store
mkdir "$work/alone"
expect 1 alone mount good "$work/alone" --pub "$work/signer.pub"
current='no threads to serve with' clearly 'cannot start a thread'
! mountpoint -q "$work/alone" || fail "a mount that nobody serves"

### A user who may open few files: that is no damage.
for command in fsck "verify good --pub $work/signer.pub"; do
  statuses=
  for files in {8..20}; do
    status=0
    # shellcheck disable=SC2086
    (ulimit -n "$files" && "$intact" $command) > "$work/out" 2> "$work/err" || status=$?
    statuses+=" $status"
    [[ $status != 1 ]] || current='few open files' clearly 'Too many open files'
  done
  [[ $statuses =~ ^\ 1(\ [01])+$ ]] || fail "$command with 8, 9, ... 20 files ended with$statuses"
  # shellcheck disable=SC2086
  expect 0 "$intact" $command
done

### Metadata images: the digest comes before the parser, and without one the parser stands alone.
image=$(jq -r .image <(expect 0 "$intact" inspect good --json; cat "$work/out"))
file=$good/images/${image#*:}
cp "$file" "$work/image"
size=$(stat -c %s "$work/image")
expect 0 "$intact" composefs dump "$work/image"
# damaged NAME STATUS: $work/bad.cfs is refused as a file, and as the image of the store.
damaged() {
  current=$1
  expect "$2" "$intact" composefs dump "$work/bad.cfs"
  (($(wc -l < "$work/err") <= 2)) || fail "$1: more than two lines"
  expect "$2" "$intact" composefs info objects "$work/bad.cfs"
  cp "$work/bad.cfs" "$file"
  expect 3 "$intact" verify good --pub "$work/signer.pub"
  expect 3 "$intact" export good "tar:$work/exported.tar" --pub "$work/signer.pub"
  [[ ! -e $work/exported.tar ]] || fail "$1: a tar of it"
  expect 3 "$intact" fsck
  cp "$work/image" "$file"
  count=$((count + 1))
}
# patch OFFSET BYTES: $work/bad.cfs is the image with these bytes (printf's escapes) there.
patch() {
  cp "$work/image" "$work/bad.cfs"
  chmod u+w "$work/bad.cfs"
  # shellcheck disable=SC2059
  printf "$2" | dd of="$work/bad.cfs" bs=1 seek="$1" conv=notrunc status=none
}
for at in 0 31 1024 1151 4096 $((size / 2)) $((size - 1)); do
  head -c "$at" "$work/image" > "$work/bad.cfs"
  damaged "cut at $at" 6
done
patch 0 '\x00'
damaged 'another magic' 6
patch 1024 '\x00'
damaged 'no superblock' 6
patch 4 '\x02'
damaged 'another version of the header' 6
patch $((1024 + 80)) '\x01' # feature_incompat: compression
damaged 'a feature that composefs does not use' 6
patch $((1024 + 12)) '\x0d' # blkszbits
damaged 'another block size' 6
expect 0 "$intact" verify good --pub "$work/signer.pub"

bad_input_done
