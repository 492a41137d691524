#!/usr/bin/env bash
# intact composefs writes the bytes that mkcomposefs writes, and reads what composefs-info reads.
. "$(dirname "$0")/lib.sh"
requires mkcomposefs composefs-info umoci jq
small_image "$work/layout"
unpack_image "$work/layout" latest
rootfs=$work/unpacked/rootfs
# Whiteouts change the format version.
whiteouts=$work/whiteouts
mkdir -p "$whiteouts/dir"
echo text > "$whiteouts/file"
echo more > "$whiteouts/dir/file"
if ((EUID == 0)); then mknod "$whiteouts/dir/gone" c 0 0; fi

for source in "$rootfs" "$whiteouts"; do
  for options in '' '--use-epoch' '--skip-xattrs' '--user-xattrs' '--skip-devices' \
    '--min-version=0 --max-version=0' '--min-version=1 --max-version=1'; do
    # shellcheck disable=SC2086
    mkcomposefs $options "$source" "$work/theirs"
    # shellcheck disable=SC2086
    expect 0 "$intact" composefs create $options "$source" "$work/ours"
    cmp "$work/theirs" "$work/ours" || fail "create $options differs"
  done
  equal "$("$intact" composefs create --print-digest-only "$source")" \
    "$(mkcomposefs --print-digest-only "$source")" "digest"

  composefs-info dump "$work/theirs" > "$work/dump.theirs"
  expect 0 "$intact" composefs dump "$work/theirs"
  same "$work/dump.theirs" "$work/out"
  mkcomposefs --from-file "$work/dump.theirs" "$work/again.theirs"
  expect 0 "$intact" composefs create --from-file "$work/dump.theirs" "$work/again.ours"
  cmp "$work/again.theirs" "$work/again.ours" || fail "create --from-file differs"
  composefs-info objects "$work/theirs" | sort > "$work/objects.theirs"
  "$intact" composefs objects "$work/theirs" | sort > "$work/objects.ours"
  same "$work/objects.theirs" "$work/objects.ours"
done

# An image by way of standard input, and what a summary says of it.
"$intact" composefs dump - < "$work/theirs" > "$work/dump.stdin"
same "$work/dump.theirs" "$work/dump.stdin"
equal "$("$intact" composefs info --json "$work/theirs" | jq -r '.[0].digest')" \
  "sha256:$(composefs-info measure-file "$work/theirs")" "digest of the summary"
mkdir "$work/empty"
mkcomposefs "$work/empty" "$work/empty.theirs"
expect 0 "$intact" composefs info "$work/empty.theirs"
said '^  inodes:  257 \(up to 256 of them are whiteouts'
equal "$("$intact" composefs info --json - < "$work/theirs" | jq -r '.[0].digest')" \
  "sha256:$(composefs-info measure-file "$work/theirs")" "digest of the summary of standard input"

# A link at the output is replaced; what it leads to stays as it is.
mkcomposefs "$whiteouts" "$work/linked"
echo victim > "$work/victim"
for target in victim nowhere /dev/null; do
  ln -sf "$target" "$work/link"
  expect 0 "$intact" composefs create "$whiteouts" "$work/link"
  [[ ! -L $work/link ]] || fail "the link to $target is still there"
  cmp "$work/linked" "$work/link" || fail "the image in place of the link to $target differs"
done
[[ $(cat "$work/victim") == victim && ! -e $work/nowhere ]] || fail 'written through a link'

# Objects: the same store.
mkcomposefs --digest-store="$work/store.theirs" "$rootfs" "$work/theirs"
expect 0 "$intact" composefs create --digest-store="$work/store.ours" "$rootfs" "$work/ours"
cmp "$work/theirs" "$work/ours"
diff -r "$work/store.theirs" "$work/store.ours"
