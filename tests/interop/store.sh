#!/usr/bin/env bash
# images, inspect, rm, gc, fsck; and that gc keeps what a mount needs.
. "$(dirname "$0")/lib.sh"
requires jq fsverity
pulled_image
size() { du -s --apparent-size "$INTACT_STORE" | cut -f1; }
expect 0 "$intact" images
said "^NAME .* PULLED$"
said 'app'
expect 0 "$intact" images --json
jq -e '.' "$work/out" > /dev/null
expect 0 "$intact" inspect app
expect 0 "$intact" fsck --json
jq -e '.ok == true' "$work/out" > /dev/null

# Nothing to collect; then a second image, which is removed again.
before=$(find "$INTACT_STORE/objects" -type f | sort)
expect 0 "$intact" gc
equal "$(find "$INTACT_STORE/objects" -type f | sort)" "$before" "objects after gc"
small_image "$work/other" latest "$(printf 'a longer text that is no more inline %.0s' {1..5})"
"$intact" seal "oci:$work/other:latest" --key "$work/key.key" --password-file "$work/password" > /dev/null
expect 0 "$intact" pull "oci:$work/other:latest-sealed" other --pub "$work/key.pub"
[[ $(find "$INTACT_STORE/objects" -type f | sort) != "$before" ]] || fail "the second image has no object of its own"
expect 0 "$intact" rm other
expect 7 "$intact" rm other
said 'other: no such image in the store'
expect 0 "$intact" fsck # garbage is not damage
expect 0 "$intact" gc --dry-run
[[ $(find "$INTACT_STORE/objects" -type f | sort) != "$before" ]] || fail "a dry run removed something"
expect 0 "$intact" gc
equal "$(find "$INTACT_STORE/objects" -type f | sort)" "$before" "objects after gc"
expect 0 "$intact" verify app --pub "$work/key.pub"

# A record of an older version, which knew one format and one manifest of signatures, is still read.
record=$INTACT_STORE/names/app.json
cp "$record" "$work/record"
jq -c '.version = 1 | .signature_manifest = .evidence[0].document | del(.evidence, .format)' "$work/record" > "$record"
jq -e '.signature_manifest' "$record" > /dev/null || fail "the record has no evidence: $(cat "$work/record")"
expect 0 "$intact" verify app --pub "$work/key.pub"
expect 0 "$intact" gc --dry-run
said '^Nothing to remove'
expect 0 "$intact" fsck
jq -c '.version = 3' "$work/record" > "$record"
expect 6 "$intact" verify app --pub "$work/key.pub"
said 'made by a newer intact'
# Evidence of a kind that this version does not know is told, and is never enough; beside a good signature it is
# passed over.
jq -c '.evidence[0].kind = "later-kind"' "$work/record" > "$record"
expect 5 "$intact" verify app --pub "$work/key.pub"
said "found only: 'later-kind' sha256:"
jq -c '.evidence = [{"kind": "later-kind", "document": .manifest}] + .evidence' "$work/record" > "$record"
expect 0 "$intact" verify app --pub "$work/key.pub"
cp "$work/record" "$record"

# fsck names what is damaged.
object=$(find "$INTACT_STORE/objects" -type f -size +1000k -print -quit)
flip "$object" 5000
expect 3 "$intact" fsck --json
jq -e --arg object "${object#"$INTACT_STORE/objects/"}" \
  '.ok == false and ([.damaged[] | tostring | contains($object | gsub("/"; ""))] + [.damaged[] | tostring | contains($object)] | any)' \
  "$work/out" > /dev/null || fail "fsck said $(cat "$work/out")"
flip "$object" 5000
expect 0 "$intact" fsck

# A damaged object is put right by pulling again, whatever is kept.
flip "$object" 5000
expect 0 "$intact" pull "oci:$work/layout:latest-sealed" again --pub "$work/key.pub"
expect 0 "$intact" verify again --pub "$work/key.pub"
expect 0 "$intact" verify app --pub "$work/key.pub"

# What else stands in the place of content is damage, noticed at once and put right: also a sparse file
# that nobody could hash to its end. What is in a directory there is left alone.
pull_again() { "$intact" pull "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"; }
export_app() { "$intact" export app "tar:$work/app.tar" --pub "$work/key.pub"; }
image=$(echo "$INTACT_STORE"/images/*)
for file in "$object" "$image"; do
  for how in gone symlink pipe socket directory endless; do
    cp -a "$file" "$work/kept"
    rm "$file"
    case $how in
      gone) ;;
      symlink) ln -s "$work/kept" "$file" ;;
      pipe) mkfifo "$file" ;;
      socket) (cd "${file%/*}" && perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' "${file##*/}") ;;
      directory) mkdir "$file" ;;
      endless) truncate -s 8T "$file" ;;
    esac
    expect 3 "$intact" fsck
    said "^DAMAGED .*${file##*/}"
    expect 3 "$intact" verify app --pub "$work/key.pub"
    said "${file##*/}"
    expect 3 export_app
    said "${file##*/}"
    [[ ! -e $work/app.tar ]] || fail "half an archive"
    expect 0 pull_again
    same "$file" "$work/kept"
    expect 0 "$intact" fsck
    expect 0 export_app
    rm -f "$work/app.tar" "$work/kept"
  done
  mv "$file" "$work/kept"
  mkdir "$file"
  touch "$file/precious"
  expect 1 pull_again
  said 'a directory with something in it is in the way'
  [[ -e $file/precious ]] || fail "a file of others is gone"
  rm -r "$file"
  mv "$work/kept" "$file"
  expect 0 "$intact" verify app --pub "$work/key.pub"
done
# A whole directory of objects led elsewhere.
mv "${object%/*}" "$work/kept"
ln -s "$work/kept" "${object%/*}"
expect 3 "$intact" fsck
said "^DAMAGED .*${object##*/}"
expect 3 "$intact" verify app --pub "$work/key.pub"
said '^DAMAGED .*: leads out of the store through a symbolic link or a mount'
expect 0 "$intact" gc --dry-run
rm "${object%/*}"
mv "$work/kept" "${object%/*}"
expect 0 "$intact" fsck

# A variable that is not set is not the default store.
expect 2 "$intact" gc --store ''
said '--store: is empty'

# A mounted image survives rm and gc until it is unmounted.
if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  mkdir "$work/mnt"
  expect 0 "$intact" mount app "$work/mnt" --pub "$work/key.pub"
  expect 0 "$intact" rm app
  expect 0 "$intact" rm again
  expect 0 "$intact" gc
  expect 0 cat "$work/mnt/usr/share/large"
  expect 0 "$intact" umount "$work/mnt"
else
  expect 0 "$intact" rm app
  expect 0 "$intact" rm again
fi
expect 0 "$intact" gc
equal "$(find "$INTACT_STORE/objects" -type f | wc -l)" 0 "objects in an empty store"

# Only our own stores are collected.
mkdir "$work/notours"
echo precious > "$work/notours/file"
expect 7 "$intact" gc --store "$work/notours"
said "notours: not an Intact store"
expect 1 "$intact" pull --store "$work/notours" "oci:$work/layout:latest-sealed" app --pub "$work/key.pub"
said "notours: not a store and not empty \\(contains 'file'\\)"
[[ -e $work/notours/file ]] || fail "a file of others is gone"
