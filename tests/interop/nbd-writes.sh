#!/usr/bin/env bash
# A writable stack over NBD: what libnbd's and qemu's clients write, zero and trim is what they read and
# what is in the file, and it is there when the server has been told to end in the middle of it.
. "$(dirname "$0")/lib.sh"
requires nbdkit nbdcopy nbdinfo qemu-img qemu-io nbdsh
# The module is Debian's, whatever other Python comes first.
nbdsh() { PATH=/usr/bin:$PATH command nbdsh "$@"; }
cd "$work" || exit
size=$((8 << 20))
uri="nbd+unix:///?socket=$work/sock"
head -c $size /dev/urandom > image
truncate -s $size disk

served() { serve "$intact" open disk --nbd sock "$@"; }

served
grep -q 'can be read and written' served.out || fail 'it does not say so'
expect 8 "$intact" open disk --to copy
nbdinfo --can write "$uri" || fail 'it cannot be written to'
for can in flush fua trim zero multi-conn; do nbdinfo --can $can "$uri" || fail "no $can"; done
nbdcopy --connections=4 --threads=4 --flush image "$uri"
same image disk
# Any byte on: what is beside it stays.
qemu-io -f raw -c 'write -P 7 1000 3' -c 'write -P 9 -f 4095 2' -c 'write -z 70000 5000' -c 'flush' "$uri" > /dev/null
cp image expected
python3 - << 'PYTHON'
with open('expected', 'r+b') as file:
  for offset, data in (1000, b'\7' * 3), (4095, b'\t' * 2), (70000, bytes(5000)):
    file.seek(offset)
    file.write(data)
PYTHON
qemu-img compare -f raw -F raw expected "$uri" > /dev/null || fail 'what was written is not read'
same expected disk
# A hole gives space back, and what is beside it stays.
before=$(stat -c %b disk)
nbdsh -u "$uri" -c "h.zero(1000001, $(((4 << 20) - 100)))" -c "h.trim(1000000, $((6 << 20)))" -c "h.flush()"
(($(stat -c %b disk) * 512 < before * 512 - 1900000)) || fail 'no holes were made'
zeros() { dd if=/dev/zero of=expected bs=1 "seek=$1" "count=$2" conv=notrunc status=none; }
zeros $(((4 << 20) - 100)) 1000001
zeros $((6 << 20)) $((1000000 / 512 * 512))
same expected disk
expect 1 qemu-io -f raw -c "write $size 512" "$uri"
stop
same expected disk

# Told to end while somebody writes: it ends, and all that was answered is there.
served
nbdsh -u "$uri" -c "
import os, signal
written = 0
try:
  while True:
    offset = (written * 4096) % $size
    h.pwrite((written + 1).to_bytes(8, 'little') * 512, offset)
    written += 1
    if written == 300:
      os.kill($server, signal.SIGTERM)
except nbd.Error as error:
  print(written)
" > written
status=0
wait "$server" || status=$?
equal "$status" 0 'exit status of the server'
python3 - << PYTHON
written = int(open('written').read())
assert written >= 300, written
blocks = $size // 4096
data = open('disk', 'rb').read()
for i in range(max(0, written - blocks), written):
  got = data[i % blocks * 4096:][:4096]
  # The one that was not answered may be there or not.
  assert got in ((i + 1).to_bytes(8, 'little') * 512, (i + 1 + blocks).to_bytes(8, 'little') * 512), i
PYTHON

# Not where that is not wanted.
cp disk before
served --readonly
nbdinfo --is read-only "$uri" || fail 'not read-only'
expect 1 qemu-io -f raw -c 'write 0 512' "$uri"
stop
same before disk

# What cannot be made durable at the end is the exit status, as a flush of a client's fails before.
if (requires strace) && strace -qq -o /dev/null -e inject=fdatasync:error=EIO true 2> /dev/null; then
  served
  strace -f -qq -o strace.log -e trace=fdatasync -e inject=fdatasync:error=EIO -p "$server" &
  await grep -q '^TracerPid:.*[1-9]' "/proc/$server/status"
  expect 1 qemu-io -f raw -c 'write 0 512' -c flush "$uri"
  stop 1
  grep -q 'fdatasync: Input/output error' served.err || fail "it does not say what failed: $(cat served.err)"
  served
  expect 0 qemu-io -f raw -c 'write 0 512' -c flush "$uri"
  stop
fi
