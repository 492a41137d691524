#!/usr/bin/env bash
# `open --table` opens what a table of the kernel's describes, without the kernel; and what is a hole in
# a file is one for NBD clients, for lseek on the file of --fuse, and in the copy of --to.
. "$(dirname "$0")/lib.sh"
requires nbdkit nbdcopy nbdinfo nbdsh
nbdsh() { PATH=/usr/bin:$PATH command nbdsh "$@"; }
cd "$work" || exit
uri="nbd+unix:///?socket=$work/sock"
head -c $((64 * 512)) /dev/urandom > 'a disk'

### Lines after one another.
table="0 16 zero
16 32 linear $work/a\\ disk 8
48 8 zero"
expect 0 "$intact" open --table "$table" --to copy
{ head -c $((16 * 512)) /dev/zero; dd if='a disk' bs=512 skip=8 count=32 status=none; head -c $((8 * 512)) /dev/zero; } > want
same want copy
echo "$table" | "$intact" open --table - --to - > piped
same want piped

### What is wrong in a line is named.
wrong() {
  expect "$1" "$intact" open --table "$3" --to never
  said "$2"
  [[ ! -e never ]] || fail "a copy of '$3'"
}
wrong 2 'table line 2: begins at sector 8, but the line before ends at 4' $'0 4 zero\n8 4 zero'
wrong 2 "word 2 \(length\): 'x' is not a number" '0 x zero'
wrong 6 "'zeros': unknown target; known are linear, zero, error, delay, flakey, verity, integrity" '0 8 zeros'
wrong 2 "linear: argument 2 \(start sector\): '60' is not within" "0 8 linear $work/a\\ disk 60"
wrong 2 "linear: ends too early; argument 1 \(device\) is missing" '0 8 linear'
wrong 7 'No such file or directory' "0 8 linear $work/nothing 0"
wrong 2 "'dm:x' does not name the device of an earlier table" '0 8 linear dm:x 0'
expect 2 "$intact" open 'a disk' --table '0 8 zero' --to never
said '--table'
expect 2 "$intact" open --to never
said 'pass FILE, or --table'

### Errors, delays, devices that fail for a time; the server is written to.
expect 1 "$intact" open --table $'0 8 zero\n8 8 error' --to never
said 'the error target: Input/output error'
[[ ! -e never ]] || fail 'a copy in spite of errors'
serve "$intact" open --table "0 64 delay $work/a\\ disk 0 2000 $work/a\\ disk 0 0" --nbd sock
# A write may be slow for other reasons, but not every one.
nbdsh -u "$uri" -c '
import time
def seconds(do):
  begin = time.monotonic()
  do()
  return time.monotonic() - begin
assert seconds(lambda: h.pread(512, 0)) >= 2
assert min(seconds(lambda: h.pwrite(b"x" * 512, 0)) for i in range(20)) < 2
h.flush()'
stop
equal "$(head -c 512 'a disk')" "$(head -c 512 /dev/zero | tr '\0' x)" 'what was written'
before=$(sha256sum < 'a disk')
serve "$intact" open --table "0 64 flakey $work/a\\ disk 0 0 3600 1 drop_writes" --nbd sock
nbdsh -u "$uri" -c 'h.pwrite(b"y" * 512, 0); assert h.pread(512, 0) == b"x" * 512'
stop
equal "$(sha256sum < 'a disk')" "$before" 'the disk below dropped writes'
serve "$intact" open --table "0 64 flakey $work/a\\ disk 0 2 3600" --nbd sock
nbdsh -u "$uri" -c '
import time
try:
  while True:
    h.pread(512, 0)
    time.sleep(0.1)
except nbd.Error as error:
  assert error.errno == "EIO", error'
stop 1  # it cannot be flushed

### A line of dm-verity, as veritysetup would load it, and one of dm-integrity with a key by descriptor.
head -c $((64 * 4096)) /dev/urandom > data
expect 0 "$intact" verity format data hash --root-hash-file root --salt abcd
line="0 512 verity 1 $work/data $work/hash 4096 4096 64 1 sha256 $(cat root) abcd"
expect 0 "$intact" open --table "$line" --to verified
same data verified
printf x | dd of=data bs=1 seek=20000 conv=notrunc status=none
expect 3 "$intact" open --table "$line" --to never
said 'data block 4'
truncate -s 1M tagged
head -c 32 /dev/urandom > key
expect 0 "$intact" integrity format tagged --integrity hmac-sha256 --integrity-key-file key --sector-size 4096
sectors=$("$intact" integrity dump tagged --json | jq .provided_data_sectors)
expect 0 "$intact" open --table "0 $sectors integrity $work/tagged 0 32 J 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:9" --to plain 9< key
head -c $((sectors * 512)) /dev/zero > want
same want plain
head -c 32 /dev/urandom > other
expect 4 "$intact" open --table "0 $sectors integrity $work/tagged 0 32 J 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:9" --to never 9< other
said 'no block matches its tag: wrong internal hash or key'
expect 2 "$intact" open --table "0 $sectors integrity $work/tagged 0 32 J 1 internal_hash:hmac(sha256):c0ffee" --to never
said 'a key must be passed by reference'
! grep -q c0ffee "$work/err" || fail 'the key is shown'

# A key in a wrong place is not shown either.
key=$(od -An -v -tx1 key | tr -d ' \n')
for words in "internal_hash:hmac(sha256)::32:$key" "internal_hash:hmac(sha256)::32:fd:$key" "$key" "internal_hash:$key" "meta_device:$key"; do
  expect 2 "$intact" open --table "0 $sectors integrity $work/tagged 0 32 J 1 $words" --to never
  ! grep -q "${key:0:16}" "$work/err" || fail "the key is shown for $words"
done
# A line that is shorter than its device leaves it as clean as a whole one.
for length in $sectors $((sectors - 8)); do
  cp tagged bitmap
  serve "$intact" open --table "0 $length integrity $work/bitmap 0 32 B 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:9" --nbd sock 9< key
  nbdsh -u "$uri" -c 'h.pwrite(b"z" * 4096, 0); h.flush()'
  stop
  expect 0 "$intact" integrity dump bitmap
  ! grep -q dirty_bitmap "$work/out" || fail "a line of $length sectors was not closed"
done

### A descriptor that the program opened itself is not what the user means, whatever it is.
closed() { "$@" 3<&- 4<&- 5<&- 6<&- 7<&- 8<&-; }
for n in 3 4 5 6 7 8; do
  expect 2 closed "$intact" open --table "0 $sectors integrity $work/bitmap 0 32 B 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:$n" --to never
  said "^intact: --table: key from descriptor $n: this descriptor was not open when the program was started; open it in the shell"
  expect 2 closed "$intact" open tagged --integrity hmac-sha256 --integrity-key-fd "$n" --to never
  said 'this descriptor was not open when the program was started; open it in the shell'
done
expect 0 "$intact" open tagged --integrity hmac-sha256 --integrity-key-fd 3 --to of-key 3< key
rm of-key

### Two lines do not write to one place, by whatever name, and nothing is written when they would.
line="$sectors integrity $work/bitmap 0 32 J 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:9"
ln bitmap bitmap.link
cp bitmap before
: > view
for front in '--nbd sock' '--fuse view'; do
  for other in "$sectors $sectors integrity $work/bitmap.link 0 32 J 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:8" \
    "$sectors 8 linear $work/bitmap.link 0" "$sectors 8 delay $work/bitmap 8 0"; do
    # shellcheck disable=SC2086  # words
    expect 8 "$intact" open --table "0 $line"$'\n'"$other" $front 9< key 8< key
    said 'table line 2: (integrity|linear|delay): sectors [0-9]+ to [0-9]+ of its device are written by another line too'
    same before bitmap
  done
done
# Lines may read the same, and write to parts that do not overlap.
expect 0 "$intact" open --table "0 $line"$'\n'"$sectors 8 linear $work/bitmap.link 0" --to both 9< key
same before bitmap
expect 8 "$intact" open --table "0 16 linear $work/a\ disk 0"$'\n'"16 16 linear $work/a\ disk 15" --nbd sock
said 'sectors 15 to 15 of its device'
serve "$intact" open --table "0 16 linear $work/a\ disk 16"$'\n'"16 16 linear $work/a\ disk 0" --nbd sock
nbdsh -u "$uri" -c 'h.pwrite(b"q" * 512, 0); h.pwrite(b"r" * 512, 8192); h.flush()'
stop
equal "$(dd if='a disk' bs=512 skip=16 count=1 status=none | tr -d q | wc -c)" 0 'what the first line wrote'
equal "$(dd if='a disk' bs=512 count=1 status=none | tr -d r | wc -c)" 0 'what the second line wrote'

### What would not be checked is refused.
expect 2 "$intact" open data --format raw --root-hash-file root --to never
said '^intact: --root-hash-file: cannot be used with --format raw'
expect 2 "$intact" open --table "0 8 linear $work/data 0" --integrity hmac-sha256 --integrity-key-file key --to never
said '^intact: --integrity: cannot be used with --table'
expect 6 "$intact" open 'a disk' --fec-device hash --to never
said 'a disk: no dm-verity superblock found; pass --hash-offset'
# The same for what only says how.
for words in '--integrity-legacy-hmac' '--integrity-legacy-recalculate' '--data-blocks 0' '--tag-size 4' '--fec-device hash --fec-roots 3'; do
  # shellcheck disable=SC2086  # words
  expect 6 "$intact" open 'a disk' $words --to never
  said "^intact: (a disk|hash): (not a dm-integrity device|no dm-verity superblock found)"
  # shellcheck disable=SC2086
  expect 2 "$intact" open 'a disk' --format raw $words --to never
  said "^intact: ${words%% *}: cannot be used with --format raw, which would not check it$"
  # shellcheck disable=SC2086
  expect 2 "$intact" open --table "0 8 linear $work/data 0" $words --to never
  said "^intact: ${words%% *}: cannot be used with --table, which would not check it$"
done
for what in integrity journal-integrity journal-crypt; do
  expect 2 "$intact" open 'a disk' "--$what-key-size" 32 --to never
  said "^intact: --$what-key-size: key size given without a key; pass --$what-key-file$"
done
for detail in '--fec-roots 3' '--fec-offset 4096'; do
  # shellcheck disable=SC2086
  expect 2 "$intact" open data $detail --to never
  said "^intact: ${detail% *}: needs --fec-device"
done
# A key that a pipe passes serves both lines, and both keys of a line cannot come from one descriptor option.
pair="0 $sectors integrity $work/tagged 0 32 J 2 block_size:4096 internal_hash:hmac(sha256)::32:fd:9"
expect 0 "$intact" open --table "$pair"$'\n'"$sectors ${pair#0 }" -r --to 'two lines' 9< <(cat key)
equal "$(stat -c %s 'two lines')" $((2 * sectors * 512)) 'length of two lines with one key'
expect 2 "$intact" open tagged --integrity hmac-sha256 --integrity-key-fd 9 --journal-integrity hmac-sha256 --journal-integrity-key-fd 9 --to never 9< key
said '^intact: --journal-integrity-key-fd: 9 is already read by --integrity-key-fd; pass each key on a descriptor of its own$'
expect 0 "$intact" open data --format raw --to raw.copy
same data raw.copy

### Holes stay holes.
truncate -s 8M sparse
head -c 4096 /dev/urandom | dd of=sparse bs=4096 seek=512 conv=notrunc status=none
serve "$intact" open sparse --format raw --nbd sock
# Which ranges are holes is the file system's to say.
cat > extents.py << 'PYTHON'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at, size = 0, os.fstat(fd).st_size
while at < size:
  try:
    data = os.lseek(fd, at, os.SEEK_DATA)
  except OSError:
    data = size
  if data > at:
    print(at, data - at, 'hole,zero')
  if data < size:
    at = os.lseek(fd, data, os.SEEK_HOLE)
    print(data, at - data, 'data')
  else:
    at = size
PYTHON
nbdinfo --map "$uri" | awk '{ print $1, $2, $4 }' > map
python3 extents.py sparse > want
(($(wc -l < want) == 3)) || fail "the file system keeps no hole in a file: $(< want)"
same want map
# Copies have holes where the original has them: most of its 8 MiB.
nbdcopy "$uri" copied
same sparse copied
(($(stat -c %b copied) * 512 < 1 << 20)) || fail 'nbdcopy has no holes'
stop
expect 0 "$intact" open sparse --format raw --to sparse.copy
same sparse sparse.copy
(($(stat -c %b sparse.copy) * 512 < 1 << 20)) || fail 'the copy has no holes'
if [[ -c /dev/fuse ]] && command -v fusermount3 > /dev/null; then
  touch view
  serve "$intact" open sparse --format raw --fuse view
  python3 extents.py view > map
  same want map
  python3 - << 'PYTHON'
import errno, os
fd = os.open('view', os.O_RDONLY)
at = lambda offset, whence: os.lseek(fd, offset, whence)
try:
  at((8 << 20) - 4096, os.SEEK_DATA)
  assert False
except OSError as error:
  assert error.errno == errno.ENXIO, error
# Pages of a mapping may be changed and not yet written: everything is data then.
writer = os.open('view', os.O_RDWR)
assert at(0, os.SEEK_DATA) == 0
assert at(0, os.SEEK_HOLE) == 8 << 20
PYTHON
  stop
fi

# A FIFO in the place of a device would be waited for.
mkfifo "$work/fifo"
expect 2 timeout 300 "$intact" open --table "0 8 linear $work/fifo 0" --to "$work/of-fifo"
said "fifo: neither a regular file nor a block device"
[[ ! -e $work/of-fifo ]]
expect 2 timeout 300 "$intact" info fifo
said "fifo: neither a regular file nor a block device"
expect 2 timeout 300 "$intact" open fifo --to of-fifo
expect 2 timeout 300 "$intact" open data --hash-device fifo --root-hash-file root --to of-fifo

# A key in a keyring, and a block device by its number.
truncate -s 1M tagged2
expect 0 "$intact" integrity format tagged2 --integrity hmac-sha256 --integrity-key-file key --sector-size 4096
keyed="0 $sectors integrity $work/tagged2 0 32 J 2 block_size:4096 internal_hash:hmac(sha256)"
if (requires keyctl) && keyctl session - true > /dev/null 2>&1; then
  # of PAYLOAD COMMAND...: runs it in a session with the key intact-test
  of() { keyctl session - bash -c 'keyctl padd user intact-test @s < "$0" > /dev/null && shift 0 && "$@"' "$@" 2>&1; }
  expect 0 of key "$intact" open --table "$keyed::32:user:intact-test" --to from-keyring
  cmp -n "$(stat -c %s from-keyring)" from-keyring /dev/zero
  expect 4 of other "$intact" open --table "$keyed::32:user:intact-test" --to never
  expect 4 of key "$intact" open --table "$keyed::31:user:intact-test" --to never
  said "key 'intact-test' of type user: has 32 bytes, not 31"
fi
expect 7 "$intact" open --table "$keyed::32:user:intact-no-such-key" --to never
said 'not in the keyrings of this session'
expect 6 "$intact" open --table "$keyed::32:logon:intact-test" --to never
said 'only the kernel can read it'
expect 7 "$intact" open --table '0 8 linear 4095:1048575 0' --to never
said '4095:1048575: no such block device'
[[ ! -e never ]] || fail 'a copy was made'
