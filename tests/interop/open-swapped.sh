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

# Another file takes the name while the first is examined: every lock is followed by a pause.
swap() {
  cp --sparse=always "$1" image
  cp --sparse=always "$2" next
  (sleep 0.4; mv -T next image) &
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
strace -f -qq -e trace=flock -e inject=flock:delay_exit=700000 -o trace \
  "$intact" open image --nbd sock > served.out 2> served.err < /dev/null &
tracer=$!
sleep 0.4
mv -T next image
for ((i = 0; i < 200; i++)); do
  ! grep -q ' can be ' served.out || break
  sleep 0.1
done
grep -q 'read and written' served.out || fail "not served for writing: $(< served.err)"
head -c 1M /dev/urandom > new
nbdcopy --flush new "nbd+unix:///?socket=$work/sock"
kill "$(pgrep -P "$tracer")"
wait "$tracer" || true
same new linked
same other image
