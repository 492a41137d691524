#!/usr/bin/env bash
# An output that cannot be written never hides a verdict: tampered stays 3 and untrusted 5, whether a report
# has no directory, stdout is full or closed, or stderr is. Without a verdict the failure of the output is one.
. "$(dirname "$0")/lib.sh"
requires jq
[[ -c /dev/full ]] || skip "no /dev/full"
pulled_image
make_keys other
verify() { "$intact" verify app --pub "$work/key.pub" "$@"; }
full() { "$@" > /dev/full; }
closed() { "$@" >&-; }
# gives STATUS HOW COMMAND...: HOW is full, closed or quiet (stderr is full).
quiet() { "$@" 2> /dev/full; }
gives() {
  local want=$1 got=0
  "${@:2}" > "$work/out" 2> "$work/err" < /dev/null || got=$?
  [[ $got == "$want" ]] || { cat "$work/out" "$work/err" >&2; fail "exit status $got and not $want: ${*:2}"; }
}

# The undamaged twin: all is well, so the output is what fails.
expect 0 verify --report "$work/page.html"
grep -q '<b>Intact.</b>' "$work/page.html"
expect 7 verify --report "$work/nowhere/page.html"
said 'nowhere/page.html: .*No such file'
mkdir "$work/directory"
expect 1 verify --report "$work/directory"
said 'is a directory'
expect 1 verify --report /dev/full
said 'No space left'
gives 1 full verify
gives 1 full verify --json
gives 1 closed verify
gives 1 full "$intact" fsck
gives 1 closed "$intact" images
gives 0 quiet verify
expect 0 "$intact" verify app --pub "$work/key.pub" --report -
grep -q '^<!DOCTYPE html>' "$work/out" || fail "no page on stdout"
tail -1 "$work/out" | finds '</html>' || fail "something after the page"
expect 2 verify --report - --json
said '--report -: writes the page to stdout; leave out --map and --json'

# What was there stays until a new page is whole, and nothing else is left in the directory.
mkdir "$work/pages"
echo old > "$work/pages/page.html"
expect 7 "$intact" verify nobody --pub "$work/key.pub" --report "$work/pages/page.html"
said 'nobody: no such image in the store'
equal "$(cat "$work/pages/page.html")" old "page"
expect 0 verify --report "$work/pages/page.html"
grep -q '<b>Intact.</b>' "$work/pages/page.html"
equal "$(ls -A "$work/pages")" page.html "files beside the page"
mkfifo "$work/fifo"
cat "$work/fifo" > "$work/copy" &
expect 0 verify --report "$work/fifo"
wait $!
grep -q '</html>' "$work/copy"

# A reader that goes away has seen enough.
mkfifo "$work/short"
(exec < "$work/short") &
status=0
"$intact" help verify > "$work/short" 2> "$work/err" || status=$?
wait
equal "$status" 1 "exit status with a reader that went away"
equal "$(cat "$work/err")" "" "messages about a reader that went away"

# Untrusted.
untrusted() { "$intact" verify app --pub "$work/other.pub" "$@"; }
expect 5 untrusted --report "$work/untrusted.html"
said ': not signed by a trusted key; '
grep -q '<title>app was refused</title>' "$work/untrusted.html" || fail "the title of the page"
expect 5 untrusted --report "$work/nowhere/page.html"
said 'nowhere/page.html: .*No such file'
said 'not signed by a trusted key'
expect 5 untrusted --report /dev/full
for how in full closed quiet; do
  gives 5 "$how" untrusted
  gives 5 "$how" untrusted --json
done

# Damaged, in so many places that the output does not fit into a buffer.
large=$(find "$INTACT_STORE/objects" -type f -size +1000k -print -quit)
chmod u+w "$large"
for ((i = 0; i < 200; i++)); do printf 'X' | dd of="$large" bs=1 seek=$((i * 4096)) conv=notrunc status=none; done
expect 3 verify
said 'is damaged in [0-9]+ places'
expect 3 verify --report "$work/nowhere/page.html"
said 'nowhere/page.html: .*No such file'
said '^DAMAGED '
expect 3 verify --report "$work/directory" --json
jq -e '.ok == false' "$work/out" > /dev/null
expect 3 verify --report /dev/full
said 'warning: .*/dev/full: write: No space left on device'
expect 3 verify --report "$work/page.html"
grep -q '<b>Damaged.</b>' "$work/page.html"
for how in full closed quiet; do
  for command in "verify app --pub $work/key.pub" fsck; do
    # shellcheck disable=SC2086
    gives 3 "$how" "$intact" $command
    # shellcheck disable=SC2086
    gives 3 "$how" "$intact" $command --json
  done
done
gives 3 full verify --map
# A reader that goes away early.
{ verify --json || echo $? > "$work/status"; } | head -c 10 > /dev/null
equal "$(cat "$work/status")" 3 "exit status with a reader that goes away"

# The files of a root hash and its signature: nothing of the volume is left where they cannot be written.
head -c 65536 /dev/urandom > "$work/disk"
format() { "$intact" verity format "$work/disk" "$work/hash" --root-hash-file "$@"; }
expect 7 format "$work/nowhere/root"
said 'nowhere/root: .*No such file'
expect 1 format "$work/directory"
said 'is a directory'
expect 1 format /dev/full
said 'No space left'
expect 2 format "$work/disk"
said '--root-hash-file: .*disk is part of the volume; name another file'
expect 2 format "$work/./hash"
said '--root-hash-file: .*hash is part of the volume; name another file'
[[ ! -e $work/hash ]] || fail "half a volume"
echo old > "$work/root"
expect 0 format "$work/root"
equal "$(wc -c < "$work/root")" 64 "bytes of the root hash"
expect 0 "$intact" verity verify "$work/disk" "$work/hash" --root-hash-file "$work/root"
format /dev/stdout > "$work/out"
grep -qF "$(sed -n 's/^Root hash: *\t//p' "$work/out")" "$work/out" || fail "no root hash on stdout"
[[ -L /dev/stdout || -c /dev/stdout ]] || fail "/dev/stdout was replaced"

# A damaged layout: pull says so, and that the store is as it was.
layer=$(blob "$work/layout" "$(jq -r '.layers[0].digest' "$(blob "$work/layout" "$(manifest_digest "$work/layout" latest-sealed)")")")
flip "$layer" 100
damaged_pull() { "$intact" pull --store "$work/store2" "oci:$work/layout:latest-sealed" two --pub "$work/key.pub" "$@"; }
expect 3 damaged_pull
said 'nothing was added to the store'
gives 3 full damaged_pull
gives 3 closed damaged_pull --json
flip "$layer" 100
# With no stdout at all the store is still written correctly: no file gets the number of stdout.
gives 1 closed damaged_pull
expect 0 "$intact" fsck --store "$work/store2"
expect 0 "$intact" verify --store "$work/store2" two --pub "$work/key.pub"
seal_again() {
  "$intact" seal "oci:$work/layout:latest" "oci:$work/again:v1" --key "$work/key.key" --password-file "$work/password"
}
gives 1 closed seal_again
gives 1 full seal_again
expect 0 seal_again
expect 0 "$intact" verify "oci:$work/again:v1" --pub "$work/key.pub"
