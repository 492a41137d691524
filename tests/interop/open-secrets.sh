#!/usr/bin/env bash
# Keys stay with the process that needs them: what `open --nbd` starts before it becomes nbdkit sees no
# descriptor with a key, nbdkit sees only what it needs, and no message quotes a key.
. "$(dirname "$0")/lib.sh"
requires nbdkit nbdcopy
cd "$work" || exit
head -c 32 /dev/urandom > key
hex=$(od -An -tx1 -v key | tr -d ' \n')
truncate -s 4M tags
"$intact" integrity format tags -q --integrity hmac-sha256 --integrity-key-file key > out

# A program in nbdkit's place notes what it has inherited and all that can be read from it.
mkdir bin
real=$(command -v nbdkit)
cat > bin/nbdkit << 'FAKE'
#!/bin/bash
[[ $1 == --version ]] && note=version || note=server
# Listed before any redirection of a whole loop: bash then keeps a copy of its own stdout at 10.
fds=(/proc/$$/fd/*)
inherited=()
for fd in "${fds[@]}"; do
  n=${fd##*/}
  [[ $n -gt 2 && $n -ne 255 && -e $fd ]] && inherited+=("$n $(readlink "$fd")")
done
printf '%s' "${inherited[@]/%/$'\n'}" > "$NOTES/$note.fds"
readlink /proc/$$/fd/0 > "$NOTES/$note.stdin"
if [[ $note == version ]]; then
  : > "$NOTES/version.content"
  for fd in "${inherited[@]}"; do
    timeout 10 cat "/proc/$$/fd/${fd%% *}" >> "$NOTES/version.content" 2> /dev/null
  done
fi
exec "$REAL" "$@"
FAKE
chmod +x bin/nbdkit
export NOTES=$work REAL=$real

# The descriptors of our own caller are among those that may hold keys: 7 is read, 8 is left open.
exec 7< key 8< key
PATH=$work/bin:$PATH serve "$intact" open tags --integrity hmac-sha256 --integrity-key-fd 7 --nbd sock
exec 7<&- 8<&-
nbdcopy "nbd+unix:///?socket=$work/sock" copy
equal "$(stat -c %s copy)" "$(("$("$intact" integrity dump tags --json | jq .provided_data_sectors)" * 512))" size
stop
[[ -e version.fds && -e server.fds ]] || fail 'the program in the place of nbdkit was not started'
equal "$(wc -c < version.fds)" 0 "what \`nbdkit --version\` inherits: $(< version.fds)"
equal "$(wc -c < version.content)" 0 'bytes that it can read'
equal "$(< server.stdin)" /dev/null "nbdkit's stdin"
! grep -q '/key$' server.fds || fail "nbdkit inherits the key's file"
grep -q '/tags$' server.fds || fail 'nbdkit does not inherit the image'
grep -q 'pipe:' server.fds || fail 'nbdkit does not inherit the pipe with the key'

# Files that hold no root hash are not quoted: it may be the key, given by mistake.
head -c 2M /dev/zero > data
"$intact" verity format data hash > out
printf '%sxx' "$hex" > wrong
for file in wrong key; do
  expect 2 "$intact" verity verify data hash --root-hash-file $file
  said "$file: not a root hash"
  ! grep -q "${hex:0:16}" out || fail 'the message quotes the file'
done
