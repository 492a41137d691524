#!/usr/bin/env bash
# What anyone who can write to a dm-integrity device with a keyed hash gains by changing superblock, bitmap and tags, at
# every command that opens it: an error that says why, and never the changed data. Each attack has a twin that passes.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
# The last byte is not zero: HMAC pads keys with zeros, and a shorter key would be the same.
{ head -c 31 /dev/urandom; printf k; } > key
head -c 24 /dev/urandom > journal-key
plain=(--integrity hmac-sha256 --integrity-key-file key)
covered=("${plain[@]}" --journal-integrity hmac-sha256 --journal-integrity-key-file journal-key)
trust=--integrity-legacy-recalculate

# poke FILE OFFSET BYTES: writes what printf makes of BYTES
poke() {
  # shellcheck disable=SC2059
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
# layout FILE OPTION...: sets data_at, the byte of the first data block, and tag_at, that of its tag
layout() {
  local numbers
  "$intact" integrity check --debug "$@" > /dev/null 2> err || :
  numbers=$(sed -n 's/.*first tag at byte \([0-9]*\), first data at byte \([0-9]*\).*/\1 \2/p' err)
  read -r tag_at data_at <<< "$numbers"
  [[ -n $data_at ]] || fail "no layout: $(cat err)"
}
# made OPTION...: `good`, a device of 512-byte blocks with such options
made() {
  rm -f good
  truncate -s 4M good
  expect 0 "$intact" integrity format good -q --journal-size 65536 "$@"
  layout good "${@:1}"
}
# marked: `bad` is `good`, with all regions marked in its bitmap
marked() {
  cp --sparse=always good bad
  poke bad 24 "$(printf '\\%o' $(($(od -An -tu1 -j24 -N1 good) | 4)))"
  head -c 16384 /dev/zero | tr '\0' '\377' | dd of=bad bs=4096 seek=1 conv=notrunc iflag=fullblock status=none
}
forged() { poke bad $((data_at + 5 * 512)) 'forged by somebody'; }
# kept STATUS WORDS COMMAND FILE ARGUMENT...: is refused with these words, writes nothing and leaves no copy
kept() {
  local status=$1 words=$2
  cp --sparse=always bad before
  rm -f copy
  expect "$status" "$intact" "${@:3}"
  said "$words"
  cmp bad before || fail "${*:3} has written"
  [[ ! -e copy ]] || fail "${*:3} left a copy"
}
# serves_nothing_forged OPTION...: servers of `bad`, opened with these options, do not return the forged block
serves_nothing_forged() {
  if (requires_fuse) > /dev/null 2>&1; then
    : > shown
    serve "$intact" integrity open bad --fuse shown "$@"
    ! dd if=shown bs=512 skip=5 count=1 of=block status=none 2> /dev/null || fail 'a forged block was read'
    dd if=shown bs=4096 skip=1 count=1 status=none | cmp -n 4096 - /dev/zero
    expect 0 "$intact" umount shown
    ended 0
  fi
  if (requires nbdkit nbdsh) > /dev/null 2>&1; then
    serve "$intact" integrity open bad --nbd sock "$@"
    PATH=/usr/bin:$PATH nbdsh -u "nbd+unix:///?socket=$work/sock" -c '
assert h.pread(4096, 4096) == bytes(4096)
try:
  h.pread(512, 2560)
except nbd.Error:
  pass
else:
  raise SystemExit("a forged block was read")
'
    stop
  fi
}
modes=('' --integrity-bitmap-mode --integrity-no-journal)

# --- the bitmap, and whether the device was closed ------------------------------------------------
for salt in '' --integrity-legacy-hmac; do
  made "${plain[@]}" ${salt:+"$salt"}
  for mode in "${modes[@]}"; do
    options=("${plain[@]}" ${mode:+"$mode"})
    marked
    cp --sparse=always bad twin
    forged
    kept 3 'sectors 5 to 5 .* fail' integrity open bad --to copy "${options[@]}"
    kept 3 '^DAMAGED sector 5 ' integrity check bad "${options[@]}"
    said 'bad is damaged in 1 place: 1 of [0-9]+ checked sectors'
    said 'the bitmap marks [0-9]+ regions?: blocks there may be half written by a crash'
    why='1 sectors \(the first is 5\) fail their tags in regions that the bitmap marks.*--integrity-legacy-recalculate'
    kept 3 "$why" integrity open bad --nbd sock "${options[@]}"
    : > shown
    kept 3 "$why" integrity open bad --fuse shown "${options[@]}"
    kept 3 "$why" integrity replay bad --in-place "${options[@]}"
    serves_nothing_forged --readonly "${options[@]}"
    # Not changed: every marked block is checked, and then the marks are dropped.
    rm -f copy
    expect 0 "$intact" integrity open twin --to copy "${options[@]}"
    cmp -n "$(stat -c %s copy)" copy /dev/zero
    expect 0 "$intact" integrity check twin "${options[@]}"
    said 'twin is intact: ([0-9]+) of \1 sectors checked'
    expect 0 "$intact" integrity replay twin --in-place "${options[@]}"
    expect 0 "$intact" integrity dump twin
    ! grep -q dirty out || fail 'still marked'
  done
  # By `intact open`, which looks for the hash itself.
  marked
  cp --sparse=always bad twin
  forged
  found=(--integrity-key-file key)
  kept 3 'fail' open bad --to copy "${found[@]}"
  kept 3 'bitmap marks' open bad --nbd sock "${found[@]}" --integrity hmac-sha256
  rm -f copy
  expect 0 "$intact" open twin --to copy "${found[@]}"
done

# After an honest crash one option gives the marked regions new tags, and says what that trusts.
made "${plain[@]}"
marked
forged
cp --sparse=always bad crashed
expect 0 "$intact" integrity replay bad --in-place "${plain[@]}" $trust
said 'trusted without a check'
said 'got new tags for data that nothing has verified'
rm -f copy
expect 0 "$intact" integrity check bad "${plain[@]}"
cp --sparse=always crashed bad
expect 0 "$intact" integrity open bad --to copy "${plain[@]}" $trust
said 'trusted without a check'
dd if=copy bs=512 skip=5 count=1 status=none | finds '^forged' || fail 'not what was trusted'

# --- a check that checks nothing ------------------------------------------------------------------
expect 1 "$intact" integrity check good "${plain[@]}" --integrity-recovery-mode
said 'no sector was checked: recovery mode checks nothing'
said 'no block is checked in recovery mode, despite the key'
expect 1 "$intact" integrity check good --integrity none
said 'no sector was checked: the device has no internal hash'
! grep -q intact: out || fail 'a verdict'
expect 0 "$intact" integrity check good "${plain[@]}"
rm -f unkeyed
truncate -s 4M unkeyed
expect 0 "$intact" integrity format unkeyed --journal-size 65536
cp --sparse=always unkeyed good
marked
expect 1 "$intact" integrity check bad
said 'no sector was checked: the bitmap marks them'
expect 1 "$intact" integrity check bad --json
grep -q '"ok":false' out || fail "ok: $(cat out)"
# A replay leaves the marked regions for a recalculation, and says so.
expect 0 "$intact" integrity replay bad --in-place
said '^The tags from sector 0 on are not calculated yet; run .intact integrity recalculate.$'
expect 1 "$intact" integrity check bad
said 'no sector was checked: their tags have not been calculated yet'
expect 0 "$intact" integrity recalculate bad
expect 0 "$intact" integrity check bad
said 'bad is intact: ([0-9]+) of \1 sectors checked'
expect 0 "$intact" integrity replay good --in-place
! grep -q 'not calculated' out || fail "of a clean device: $(cat out)"

# --- flags ----------------------------------------------------------------------------------------
made "${plain[@]}"
for mode in "${modes[@]}"; do
  options=("${plain[@]}" ${mode:+"$mode"})
  # Without its salt, with everything marked.
  marked
  forged
  poke bad 24 '\014'
  for command in 'integrity open bad --to copy' 'integrity open bad --nbd sock' 'integrity check bad' \
    'integrity replay bad --in-place'; do
    read -ra words <<< "$command"
    kept 4 'no block matches its tag|every block fails its tag' "${words[@]}" "${options[@]}"
  done
  # To be recalculated.
  cp --sparse=always good bad
  forged
  poke bad 24 '\032'
  for command in 'integrity open bad --to copy' 'integrity open bad --nbd sock' 'integrity check bad' \
    'integrity replay bad --in-place' 'integrity recalculate bad'; do
    read -ra words <<< "$command"
    kept 6 'Recalculating with HMAC is disabled for security reasons' "${words[@]}" "${options[@]}"
  done
done
kept 6 'for security reasons' open bad --to copy "${plain[@]}"

made "${covered[@]}"
cp --sparse=always good bad
poke bad 24 '\011'
for command in 'integrity open bad --to copy' 'integrity open bad --nbd sock' 'integrity check bad' \
  'integrity replay bad' 'integrity replay bad --in-place' 'integrity resize bad' 'open bad --to copy'; do
  read -ra words <<< "$command"
  kept 6 'the journal MAC does not cover the superblock \(no fix_hmac\).*--integrity-legacy-hmac' "${words[@]}" \
    "${covered[@]}"
done
poke bad 24 '\010'
kept 2 'Journal mac mismatch: the device has none' integrity open bad --to copy "${covered[@]}"
cp --sparse=always good bad
poke bad 24 '\035'
kept 4 'the superblock fails its MAC' integrity open bad --to copy "${covered[@]}"
rm -f copy
expect 0 "$intact" integrity open good --to copy "${covered[@]}"
expect 0 "$intact" integrity check good "${covered[@]}"
# The twin: a device that was made so.
made "${covered[@]}" --integrity-legacy-hmac
expect 6 "$intact" integrity check good "${covered[@]}"
said '^intact: good: .*--integrity-legacy-hmac'
expect 0 "$intact" integrity check good "${covered[@]}" --integrity-legacy-hmac
said 'the superblock is trusted without a check'
rm -f copy
expect 0 "$intact" open good "${covered[@]}" --integrity-legacy-hmac --to copy

# --- sizes ----------------------------------------------------------------------------------------
made "${plain[@]}"
cp --sparse=always good bad
poke bad 10 '\001\000'
for command in 'integrity open bad --to copy' 'integrity open bad --nbd sock' 'integrity check bad' \
  'integrity replay bad --in-place'; do
  read -ra words <<< "$command"
  kept 2 "Tag size doesn't match the information in superblock: 1, not 32; .*pass --tag-size 1 only if" "${words[@]}" \
    "${plain[@]}"
done
kept 2 "Tag size doesn't match" open bad --to copy "${plain[@]}"
made "${plain[@]}" --tag-size 20
expect 0 "$intact" integrity check good "${plain[@]}" --tag-size 20
expect 2 "$intact" integrity check good "${plain[@]}"
said '20, not 32'
rm -f copy
expect 0 "$intact" open good --integrity-key-file key --tag-size 20 --to copy
rm -f copy
expect 2 "$intact" open good --integrity-key-file key --to copy
said '20, not 32'
# What the user says of block and tag counts, with or without a key.
expect 2 "$intact" integrity check unkeyed --sector-size 4096
said "Block size doesn't match the information in superblock: 512, not 4096"
expect 2 "$intact" integrity check unkeyed --tag-size 8
said "Tag size doesn't match the information in superblock: [0-9]+, not 8"
expect 0 "$intact" integrity check unkeyed --sector-size 512 --tag-size 4

# A number of sectors that is too low calls data new: no tags are made for them.
made "${plain[@]}"
cp --sparse=always good bad
poke bad 16 '\010\000\000'
forged
kept 6 'new tags for sectors 8 to [0-9]+ would vouch for data that nothing has verified.*--wipe' \
  integrity resize bad "${plain[@]}"
expect 3 "$intact" integrity check bad "${plain[@]}"
said '^DAMAGED sector 5 '
expect 0 "$intact" integrity resize good --device-size 5242880 --wipe "${plain[@]}"
expect 0 "$intact" integrity check good "${plain[@]}"
made "${covered[@]}"
cp --sparse=always good small
expect 0 "$intact" integrity resize good --device-size 5242880 "${covered[@]}"
expect 0 "$intact" integrity check good "${covered[@]}"
# An older superblock, from before it grew, has its MAC as well.
cp --sparse=always good bad
dd if=small of=bad bs=4096 count=1 conv=notrunc status=none
poke bad $((5242880 - 100000)) 'forged by somebody'
expect 3 "$intact" integrity check bad "${covered[@]}"
for options in '' '--device-size 6291456'; do
  read -ra words <<< "$options"
  kept 6 'would vouch for data that nothing has verified, and the superblock that calls them new may be an older one.*--wipe' \
    integrity resize bad "${covered[@]}" "${words[@]}"
done
expect 3 "$intact" integrity check bad "${covered[@]}"
said '^DAMAGED sector [0-9]+ '
expect 0 "$intact" integrity resize bad --wipe "${covered[@]}"
expect 0 "$intact" integrity check bad "${covered[@]}"
expect 0 "$intact" integrity open bad --to copy "${covered[@]}"
! grep -q 'forged by' copy || fail 'forged data have valid tags'
rm -f copy
# The same where others have made the file larger: their data are not ours.
truncate -s 6M small
expect 6 "$intact" integrity resize small "${covered[@]}"
said 'would vouch for data that nothing has verified'
expect 0 "$intact" integrity resize small --wipe "${covered[@]}"
expect 0 "$intact" integrity check small "${covered[@]}"

# A few bytes cannot ask for a large bitmap: 8 TiB in regions of 4 blocks would have one of 512 MiB.
truncate -s 1M bad
expect 0 "$intact" integrity format bad -q --journal-size 45056 --interleave-sectors 256 --no-wipe
truncate -s 8T bad
poke bad 9 '\037'              # log2_interleave_sectors
poke bad 12 '\100\037\000\000'  # 8000 journal sections
poke bad 16 '\000\000\000\000\000\000\000\000'
poke bad 24 '\014\000\000\000' # dirty_bitmap, fixed_padding
poke bad 29 '\002'              # log2_blocks_per_bitmap_bit
for command in replay 'replay --in-place --integrity-bitmap-mode' check; do
  read -ra words <<< "$command"
  (ulimit -v 400000 && exec "$intact" integrity "${words[@]}" bad) > out 2> err && fail "integrity $command took a bitmap of 512 MiB"
  said 'the superblock describes a bitmap of [0-9]+ MiB, the limit is 64 MiB'
done

# --- tags -----------------------------------------------------------------------------------------
# That of a discarded block fits any data: zeros are read, not what is there.
made "${plain[@]}"
cp --sparse=always good bad
poke bad $((data_at + 5 * 512)) 'forged by somebody'
# A check that accepts every tag has checked nothing.
cp --sparse=always bad whole
head -c $((data_at - tag_at)) /dev/zero | tr '\0' '\366' |
  dd of=whole bs=65536 oflag=seek_bytes seek="$tag_at" conv=notrunc iflag=fullblock status=none
expect 1 "$intact" integrity check whole "${plain[@]}" --allow-discards
said 'no sector was checked: their tags say that they were discarded'
head -c 32 /dev/zero | tr '\0' '\366' | dd of=bad bs=1 seek=$((tag_at + 5 * 32)) conv=notrunc status=none
kept 3 'sectors 5 to 5' integrity open bad --to copy "${plain[@]}"
rm -f copy
expect 0 "$intact" integrity open bad --to copy "${plain[@]}" --allow-discards
cmp -n "$(stat -c %s copy)" copy /dev/zero || fail 'what somebody put there was read'
