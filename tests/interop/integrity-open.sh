#!/usr/bin/env bash
# intact integrity open: what libnbd's and qemu's clients and the kernel write is what they read, in every mode; a
# server that is killed leaves a device of which nothing is lost that was flushed; nobody else gets in meanwhile.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
size=$((8 << 20))
# The last byte is not zero: HMAC pads keys with zeros, and a shorter key would be the same.
{ head -c 31 /dev/urandom; printf k; } > key
head -c 16 /dev/urandom > crypt-key
secured=(--integrity hmac-sha256 --integrity-key-file key --journal-integrity hmac-sha256
  --journal-integrity-key-file key --journal-crypt ctr-aes --journal-crypt-key-file crypt-key)

# served ARGUMENT...: opens `disk` in the background
served() { serve "$intact" integrity open disk "$@"; }
# formatted OPTION...: `disk` anew
formatted() {
  rm -f disk
  truncate -s 12M disk
  expect 0 "$intact" integrity format disk "$@"
}
# holds FILE OPTION...: `disk` begins with the bytes of FILE, and all of it is in order
holds() {
  local file=$1
  shift
  rm -f copy
  expect 0 "$intact" integrity check disk "$@"
  expect 0 "$intact" integrity open disk --to copy "$@"
  cmp -n "$(stat -c %s "$file")" copy "$file" || fail "disk does not hold $file ($*)"
}

# --- a plain file ---------------------------------------------------------------------------------
head -c "$size" /dev/urandom > image
if (requires_fuse); then
  formatted "${secured[@]}"
  echo before > file
  served --fuse file "${secured[@]}"
  dd if=image of=file bs=64K conv=notrunc,fsync status=none
  printf x | dd of=file bs=1 seek=12345 conv=notrunc status=none
  cp image expected
  printf x | dd of=expected bs=1 seek=12345 conv=notrunc status=none
  cmp -n "$size" file expected || fail 'the file does not hold what was written'
  expect 0 "$intact" umount file
  ended 0
  equal "$(cat file)" before 'what is below the mount'
  holds expected "${secured[@]}"
  # Killed after fsync: what was synced is there.
  served --fuse file "${secured[@]}"
  dd if=image of=file bs=64K conv=notrunc,fsync status=none
  kill -KILL "$server"
  ended 137
  holds image "${secured[@]}"
fi

# --- NBD ------------------------------------------------------------------------------------------
requires nbdkit nbdcopy nbdinfo qemu-img qemu-io nbdsh
nbdsh() { PATH=/usr/bin:$PATH command nbdsh "$@"; }
uri="nbd+unix:///?socket=$work/sock"
modes=('' --integrity-bitmap-mode --integrity-no-journal)
for mode in "${modes[@]}"; do
  options=(--integrity sha256 ${mode:+"$mode"})
  formatted --integrity sha256 --sector-size 4096
  served --nbd sock "${options[@]}"
  grep -qF 'can be read and written' served.out || fail "it says: $(cat served.out)"
  nbdinfo --can write "$uri" || fail 'it cannot be written to'
  nbdcopy --connections=4 --threads=4 --flush image "$uri"
  qemu-io -f raw -c 'write -P 7 1000 3' -c 'write -P 9 4095 2' -c 'write -z 70000 5000' -c 'flush' "$uri" > /dev/null
  # Nobody else gets in, to write or to read.
  for words in 'open disk --nbd other' 'check disk' 'replay disk --in-place' 'format disk -q'; do
    # shellcheck disable=SC2086
    expect 8 "$intact" integrity $words "${options[@]}"
    said '^intact: disk: .*in use'
  done
  expect 0 "$intact" integrity status disk
  said '^disk is active\.'
  stop
  expect 0 "$intact" integrity status disk
  said '^disk is inactive\.'
  python3 - << 'PYTHON'
import shutil
shutil.copy('image', 'expected')
with open('expected', 'r+b') as file:
  for offset, data in (1000, b'\7' * 3), (4095, b'\t' * 2), (70000, bytes(5000)):
    file.seek(offset)
    file.write(data)
PYTHON
  holds expected "${options[@]}"

  # Killed while somebody writes: what was flushed is there, and blocks are as some write left them. Without journal
  # that holds for the flushed ones alone.
  served --nbd sock "${options[@]}"
  nbdsh -u "$uri" -c "
import os, signal
for i in range(1, 200):
  h.pwrite(i.to_bytes(8, 'little') * 512, i * 4096)
h.flush()
for i in range(200, 300):
  h.pwrite(i.to_bytes(8, 'little') * 512, i * 4096)
os.kill($server, signal.SIGKILL)
"
  ended 137
  [[ $mode != --integrity-bitmap-mode ]] || { expect 0 "$intact" integrity dump disk; said 'dirty_bitmap'; }
  if [[ -z $mode ]]; then
    # Only looked at, nothing is written.
    sha256sum disk > before
    expect 0 "$intact" integrity replay disk "${options[@]}"
    said 'blocks? would be written to their places'
    expect 0 "$intact" integrity check disk "${options[@]}"
    sha256sum --check --quiet before
  fi
  served --nbd sock "${options[@]}"
  nbdsh -u "$uri" -c "
for i in range(1, 200):
  assert h.pread(4096, i * 4096) == i.to_bytes(8, 'little') * 512, i
"
  stop
  # What is in place of the last writes is read by the one that replays, and by the next.
  expect 0 "$intact" integrity open disk --to again "${options[@]}"
  python3 - << PYTHON
data = open('again', 'rb').read()
old = open('expected', 'rb').read()
for i in range(1, 300):
  got = data[i * 4096:][:4096]
  assert got == i.to_bytes(8, 'little') * 512 or i >= 200 and got == old[i * 4096:][:4096], i
PYTHON
  rm again
done

# Damage: that block fails, those beside it do not, and the log says which.
formatted
served --nbd sock
nbdcopy --flush image "$uri"
stop
perl -e 'open(my $f, "+<:raw", "disk"); local $/; my $d = <$f>; open(my $g, "<:raw", "image"); seek($g, 512 * 1000, 0);
  read($g, my $b, 512); my $at = index($d, $b); die if $at < 0; seek($f, $at + 7, 0); print $f "?";'
served --nbd sock
expect 1 qemu-io -r -f raw -c "read $((512 * 1000)) 512" "$uri"
expect 0 qemu-io -r -f raw -c "read $((512 * 999)) 512" "$uri"
expect 0 qemu-io -r -f raw -c "read $((512 * 1001)) 512" "$uri"
# It heals when it is written to.
expect 0 qemu-io -f raw -c "write -P 1 $((512 * 1000)) 512" -c "read -P 1 $((512 * 1000)) 512" "$uri"
stop
grep -q 'DAMAGED disk: sectors 1000 to 1000 (bytes 512000 to 512511)' served.err || fail "$(cat served.err)"
grep -q 'reads of damaged blocks' served.err || fail 'damage is not counted'

# Read-only: nothing is written to the file.
sha256sum disk > before
served --nbd sock --readonly
nbdinfo --is read-only "$uri" || fail 'not read-only'
expect 1 qemu-io -f raw -c 'write 0 512' "$uri"
expect 0 "$intact" integrity check disk
stop
served --nbd sock --integrity-recovery-mode
nbdinfo --is read-only "$uri" || fail 'recovery is not read-only'
stop
sha256sum --check --quiet before

# A trim is advice: it may be ignored, where discards are not allowed.
served --nbd sock
nbdsh -u "$uri" -c 'h.trim(65536, 0); h.pread(65536, 0)'
stop
cmp -n 65536 <("$intact" integrity open disk --to trimmed && cat trimmed) image || fail 'a trim has destroyed data'
served --nbd sock --allow-discards
nbdsh -u "$uri" -c 'h.trim(65536, 0); h.pread(65536, 0); h.flush()'
stop
expect 3 "$intact" integrity check disk
said 'sectors 0 to 127'
expect 0 "$intact" integrity check disk --allow-discards
said '^not checked: sectors 0 to 127: their tags say that they were discarded'
said '^no damage found in disk: [0-9]+ of [0-9]+ sectors checked, 128 not checked'
expect 0 "$intact" integrity check disk --allow-discards --json
said '"reason":"discarded"'

# Keys reach the server by descriptor and stand on no command line.
formatted "${secured[@]}"
expect 4 "$intact" integrity open disk --nbd sock "${secured[@]}" --integrity-key-size 31
said '^intact: disk: .*key'
expect 0 timeout 300 "$intact" integrity open disk --nbd sock --daemon --log nbd.log --integrity hmac-sha256 \
  --integrity-key-fd 7 --journal-integrity hmac-sha256 --journal-integrity-key-fd 8 --journal-crypt ctr-aes \
  --journal-crypt-key-file crypt-key 7< key 8< key
pid=$(fuser nbd.log 2> /dev/null | tr -d ' ')
tr '\0' '\n' < "/proc/$pid/cmdline" > cmdline
! grep -q "$(od -An -tx1 key | tr -d ' \n' | head -c 32)" cmdline || fail 'the key stands on the command line'
nbdcopy --flush image "$uri"
kill -TERM "$pid"
await_end "$pid"
holds image "${secured[@]}"

# A wrong key: status 4, and never a write.
sha256sum disk > before
head -c 32 /dev/urandom > other-key
for key in --integrity-key-file --journal-integrity-key-file; do
  wrong=()
  last=
  for word in "${secured[@]}"; do
    if [[ $last == "$key" ]]; then wrong+=(other-key); else wrong+=("$word"); fi
    last=$word
  done
  for words in 'open disk --nbd sock' 'replay disk --in-place' 'check disk'; do
    # shellcheck disable=SC2086
    expect 4 "$intact" integrity $words "${wrong[@]}"
    said '^intact: disk: .*key'
  done
done
sha256sum --check --quiet before
