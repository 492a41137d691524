#!/usr/bin/env bash
# The file that `intact open` examines is the file that it opens, whatever takes its name meanwhile, and
# the file that it writes to.
. "$(dirname "$0")/lib.sh"
requires strace nbdkit nbdcopy
cd "$work" || exit
strace -o trace true 2> /dev/null || skip 'strace cannot trace here'

truncate -s 1M plain other
printf 'the first file' | dd of=plain conv=notrunc status=none
printf 'another file' | dd of=other conv=notrunc status=none
truncate -s 4M tags
"$intact" integrity format tags -q --integrity crc32c > out
head -c 1M /dev/urandom > data
"$intact" verity format data hash --root-hash-file root > out

# opens FILE COMMAND...: how often the command opens the path. Descriptors are opened again by their number.
opens() {
  local file=$1
  shift
  strace -f -qq -e trace=open,openat,openat2 -o trace "$@" > out 2> err < /dev/null || true
  grep -cE "\"(\./)?$file\"" trace || true
}
equal "$(opens plain "$intact" open plain --to copy1)" 1 'opens of a plain image'
equal "$(opens tags "$intact" open tags --to copy2)" 1 'opens of dm-integrity'
equal "$(opens hash "$intact" open data --hash-device hash --root-hash-file root --to copy3)" 1 'opens of a hash device'
equal "$(opens data "$intact" verity open data hash --root-hash-file root --to copy4)" 1 'opens of data'
equal "$(opens hash "$intact" verity verify data hash --root-hash-file root)" 1 'opens of a hash device'
equal "$(opens plain "$intact" info plain)" 1 'opens by info'

# An open is one scan: of dm-verity inside dm-integrity each superblock is read once, and so is the journal; once more
# by nbdkit, which opens the tables itself, from the descriptors that it is passed.
head -c 400K /dev/urandom > inner
expect 0 "$intact" verity format inner inner --data-blocks 100 --hash-offset 400K --root-hash-file root2
truncate -s 4M layers
"$intact" integrity format layers -q --integrity crc32c --sector-size 4096 > out
if (requires_fuse); then
  : > view
  serve "$intact" integrity open layers --sector-size 4096 --fuse view
  dd if=inner of=view bs=64K conv=notrunc,fsync status=none
  stop
  # The last copy is the one in its place: another may be in the journal.
  verity_at=$(grep -abo verity layers | tail -1 | cut -d: -f1)
  # reads_of PLACE: how many reads of the file in the trace contain the byte
  reads_of() {
    perl -ne 'BEGIN { $at = shift } m{pread64\(\d+<[^>]*/layers>, .*, (\d+), (\d+)\) += (\d+)} and $2 <= $at && $at < $2 + $1 and $n++;
      END { print $n // 0 }' "$1" trace
  }
  # scanned TIMES HOW: the file was opened by its name once, what dm-integrity has on it was read so often, and the
  # superblock of dm-verity once: it is in the table
  scanned() {
    equal "$(grep -cE 'open(at2?)?\(.*"(\./)?layers"' trace)" 1 "opens with $2"
    equal "$(reads_of 0)" "$1" "reads of the superblock of dm-integrity with $2"
    equal "$(reads_of "$verity_at")" 1 "reads of the superblock of dm-verity with $2"
    # Beyond what is read to identify the file.
    equal "$(reads_of 100000)" "$1" "scans of the journal with $2"
  }
  # With -D the traced process is the one that is started here.
  traced=(strace -D -f -y -qq -s 0 -e "trace=open,openat,openat2,pread64" -o trace)
  layers=("$intact" open layers --integrity crc32c --root-hash-file root2 --hash-offset 400K)
  expect 0 "${traced[@]}" "${layers[@]}" --to copy6
  head -c 400K inner | cmp - copy6
  scanned 1 --to
  serve "${traced[@]}" "${layers[@]}" --fuse view
  head -c 400K inner | cmp - view
  stop
  scanned 1 --fuse
  serve "${traced[@]}" "${layers[@]}" --nbd layers.sock
  nbdcopy "nbd+unix:///?socket=$work/layers.sock" copy7
  head -c 400K inner | cmp - copy7
  stop
  scanned 2 --nbd
fi

# Another file takes the name while the first is examined: once that is locked, and every lock is followed by a pause.
is_locked() { grep -q ":$(stat -c %i "$1") " /proc/locks; }
swap() {
  cp --sparse=always "$1" image
  cp --sparse=always "$2" next
  (await is_locked image; mv -T next image) &
}
swap plain other
strace -f -qq -e trace=flock -e inject=flock:delay_exit=1000000 -o trace "$intact" open image --to copy5 > out 2> err
wait
same plain copy5
same other image

# For writing: what is written goes to the file that was examined.
ln plain linked
mv -T plain image
cp other next
: > served.out
strace -f -qq -e trace=flock -e inject=flock:delay_exit=1000000 -o trace \
  "$intact" open image --nbd sock > served.out 2> served.err < /dev/null &
tracer=$!
await is_locked image
mv -T next image
await eval 'grep -q " can be " served.out || is_gone "$tracer"'
grep -q 'read and written' served.out || fail "not served for writing: $(< served.err)"
head -c 1M /dev/urandom > new
nbdcopy --flush new "nbd+unix:///?socket=$work/sock"
kill "$(pgrep -P "$tracer")"
wait "$tracer" || true
same new linked
same other image
