#!/usr/bin/env bash
# intact integrity check, replay, recalculate, resize, detect and --tab: what they find, what they change, and what
# they say with which status.
. "$(dirname "$0")/lib.sh"
requires jq
cd "$work" || exit
# The last byte is not zero: HMAC pads keys with zeros, and a shorter key would be the same.
{ head -c 31 /dev/urandom; printf k; } > key

# formatted OPTION...: `disk` anew, 16 MiB
formatted() {
  rm -f disk
  truncate -s 16M disk
  expect 0 "$intact" integrity format disk "$@"
}
# sector N: where on `disk` logical sector N lies in bytes, with the layout of 16 MiB, 512-byte blocks and crc32c
data_at() { echo $(((440 + $1) * 512)); }
tag_at() { echo $((94208 + 4 * $1)); }

# --- format ---------------------------------------------------------------------------------------
# Zeros take no room, with tags or without, and what was there before is gone.
truncate -s 256M disk
expect 0 "$intact" integrity format disk --sector-size 4096
(($(stat -c %b disk) * 512 < 8 << 20)) || fail "zeros take $(stat -c %b disk) sectors of 512 bytes"
expect 0 "$intact" integrity check disk
head -c 64M /dev/urandom > disk
truncate -s 256M disk
expect 0 "$intact" integrity format disk -q --sector-size 4096 --integrity sha256
expect 0 "$intact" integrity check disk --integrity sha256
expect 0 "$intact" integrity open disk --integrity sha256 --to zeros
cmp -n "$(stat -c %s zeros)" zeros /dev/zero || fail 'not all zeros'
rm zeros

# Progress as cryptsetup's tools print it, for scripts; the end is told of even where it comes at once.
truncate -s 64M disk
expect 0 "$intact" integrity format disk -q --progress-json --json
tail -n 1 out | jq -e '.wiped' > /dev/null || fail 'no result'
head -n -1 out | jq -se 'length > 0 and (.[-1] | .device == "disk" and .device_bytes == .device_size and .eta_ms == "0"
  and (keys == ["device", "device_bytes", "device_size", "eta_ms", "speed", "time_ms"]))' > /dev/null ||
  fail "progress: $(cat out)"
expect 0 "$intact" integrity check disk --progress-frequency 1
said '^Finished, time 00m[0-9]+s, +[0-9]+ MiB written, speed +[0-9.]+ .*/s$'
expect 0 "$intact" integrity check disk --progress-frequency 1 -q
! grep -q Finished out || fail 'progress although it was to be quiet'
expect 0 "$intact" integrity recalculate disk --reset --progress-json
equal "$(grep -c '"eta_ms":"0"' out)" 1 'ends that were told of'
"$intact" integrity dump disk --verbose > /dev/null 2> err
grep -qx 'Command successful.' err || fail "--verbose: $(cat err)"
"$intact" integrity dump nothing --verbose > /dev/null 2> err || :
grep -qx 'Command failed with code 7.' err || fail "--verbose: $(cat err)"
"$intact" integrity check disk --debug > /dev/null 2> err
grep -q '^# disk: superblock version 5 at sector 0' err || fail "--debug: $(cat err)"

# --- check ----------------------------------------------------------------------------------------
formatted
expect 0 "$intact" integrity check disk --json
equal "$(jq -c '[.ok, .checked.sectors, .damaged, .unprotected]' out)" '[true,32328,[],[]]' 'report'
flip disk "$(data_at 5)"
flip disk "$(data_at 6)"
flip disk "$(tag_at 32327)"
flip disk $(($(data_at 2049) + 511))
expect 3 "$intact" integrity check disk
said '^DAMAGED sectors 5 to 6 \(bytes 2560 to 3583\): fails its tag'
said '^DAMAGED sector 2049 '
said '^DAMAGED sector 32327 '
said '^disk is damaged in 3 places: 4 of 32328 checked sectors'
expect 3 "$intact" integrity check disk --json
equal "$(jq -c '[.ok] + [.damaged[] | [.sector, .sectors, .offset]]' out)" \
  '[false,[5,2,2560],[2049,1,1049088],[32327,1,16551424]]' 'damage'
# The same bits again: all is well.
flip disk "$(data_at 5)"
flip disk "$(data_at 6)"
flip disk "$(tag_at 32327)"
flip disk $(($(data_at 2049) + 511))
expect 0 "$intact" integrity check disk
expect 4 "$intact" integrity check disk --integrity crc32
said 'every block fails its tag'
expect 0 "$intact" integrity open disk --to all --integrity-recovery-mode --integrity crc32
cmp -n $((32328 * 512)) all /dev/zero

# Tags that nobody has computed yet.
formatted --no-wipe
expect 4 "$intact" integrity check disk
said 'every block fails its tag; .* or no tags have been written yet'
cp disk blank
expect 0 "$intact" integrity recalculate disk
expect 0 "$intact" integrity check disk
said 'disk is intact: 32328 of 32328 sectors checked'
flip disk "$(data_at 77)"
flip disk "$(data_at 9000)"
printf '\20\0' | dd of=disk bs=1 seek=32 conv=notrunc status=none  # recalculated up to sector 16
printf '\0\0' | dd of=disk bs=1 seek=33 conv=notrunc status=none
expect 0 "$intact" integrity check disk
said '^not checked: sectors 16 to 32327: their tags have not been calculated yet'
said '^no damage found in disk: 16 of 32328 sectors checked, 32312 not checked'
expect 0 "$intact" integrity check disk --json
equal "$(jq -c .unprotected out)" '[{"sector":16,"sectors":32312,"reason":"recalculation"}]' 'unprotected'
expect 0 "$intact" integrity recalculate disk
expect 0 "$intact" integrity check disk
mv blank disk

# --- detect ---------------------------------------------------------------------------------------
expect 7 "$intact" integrity detect disk
said 'The examined tags are blank'
for hash in crc32c crc32 xxhash64 sha1 sha256 sha512 sha3-256 blake2b-256 blake2s-256; do
  formatted --integrity $hash --sector-size 4096
  expect 0 "$intact" integrity detect disk --json
  equal "$(jq -c '[.ok, .integrity, .tag_use, .keyed, .salted]' out)" "[true,\"$hash\",\"whole\",false,true]" 'hash'
done
formatted --integrity sha256 --tag-size 20 --integrity-legacy-hmac
expect 0 "$intact" integrity detect disk
said 'integrity: sha256'
said 'truncated to the size of the tag'
said 'salt:      none'
formatted --integrity crc32 --tag-size 7
expect 0 "$intact" integrity detect disk
said 'padded with zeros'
formatted --integrity hmac-sha512 --integrity-key-file key --tag-size 32
expect 7 "$intact" integrity detect disk
said 'without a key: they have one'
head -c 32 /dev/urandom > other-key
expect 7 "$intact" integrity detect disk --integrity-key-file other-key
said 'with or without this key: they have another key'
expect 0 "$intact" integrity detect disk --integrity-key-file key
said 'integrity: hmac\(sha512\)'
said 'key:       the given one'
# What the journal is under, and a superblock that does not lie at the beginning.
said '^journal:   without a MAC; not encrypted'
for crypt in ctr-aes cbc-aes; do
  formatted --start 2048 --journal-integrity hmac-sha256 --journal-integrity-key-file key --journal-crypt $crypt \
    --journal-crypt-key-file key
  expect 7 "$intact" integrity detect disk
  said '^intact: disk: The device is not initialized'
  expect 0 "$intact" integrity detect disk --start 2048
  said '^journal:   with a MAC \(--journal-integrity\); encrypted'
  expect 0 "$intact" integrity detect disk --start 2048 --json
  equal "$(jq -c '[.journal, .journal_mac]' out)" '["encrypted",true]' 'journal'
done

# --- keys -----------------------------------------------------------------------------------------
# With a wrong key, or none, nothing is returned and nothing is written.
keyed=(--integrity hmac-sha256 --journal-integrity hmac-sha256)
formatted "${keyed[@]}" --integrity-key-file key --journal-integrity-key-file key
cp disk before
wrong() {
  expect "$1" "$intact" integrity "${@:2}" "${keyed[@]}" "${keys[@]}"
  same before disk
}
for keys in '--integrity-key-file other-key --journal-integrity-key-file key' \
  '--integrity-key-file key --journal-integrity-key-file other-key' '--journal-integrity-key-file key' \
  '--integrity-key-file key'; do
  read -ra keys <<< "$keys"
  # A key that is missing is wrong usage.
  status=$((${#keys[@]} == 4 ? 4 : 2))
  wrong "$status" open disk --to never
  wrong "$status" replay disk --in-place
  wrong "$status" recalculate disk
  wrong "$status" resize disk --device-size $((20 << 20))
  wrong "$status" check disk
  [[ ! -e never ]] || fail 'data were returned'
done
keys=(--integrity-key-file key --journal-integrity-key-file key)
wrong 0 open disk --to given
wrong 0 check disk
rm given
# Where no tags are missing, none are made without a word that trusts the data: damage stays damage.
wrong 2 recalculate disk
said 'no tags are missing; pass --reset'
flip disk "$(data_at 77)"
cp disk before
wrong 2 recalculate disk
wrong 3 check disk
for option in --reset --integrity-recalculate-reset; do
  cp before disk
  expect 0 "$intact" integrity recalculate disk $option "${keyed[@]}" "${keys[@]}"
  expect 0 "$intact" integrity check disk "${keyed[@]}" "${keys[@]}"
  # One that has reached its end left its mark, and nothing to do.
  expect 2 "$intact" integrity recalculate disk "${keyed[@]}" "${keys[@]}"
  said 'no tags are missing; pass --reset'
done
# In-line mode is told by its name.
formatted
printf '\6' | dd of=disk bs=1 seek=8 conv=notrunc status=none
printf '\0\0\0\0' | dd of=disk bs=1 seek=12 conv=notrunc status=none
printf '\40' | dd of=disk bs=1 seek=24 conv=notrunc status=none
expect 6 "$intact" integrity check disk
said 'in-line mode'

# --- recalculate ----------------------------------------------------------------------------------
formatted
expect 0 "$intact" integrity recalculate disk
! grep -q 'did not match' "$work/err" || fail "a warning about sound data: $(cat "$work/err")"
formatted
flip disk "$(data_at 0)"
flip disk "$(data_at 77)"
expect 3 "$intact" integrity check disk
said '^DAMAGED sector 77 '
expect 0 "$intact" integrity recalculate disk
said 'warning: disk: in 1 of 256 sampled places of 4096 bytes the data did not match their tags'
said '^Calculated all tags of disk: [0-9]+ sectors$'
expect 0 "$intact" integrity check disk
flip disk "$(data_at 78)"
# It is done, and does not begin again by itself: the damage stays to be seen.
expect 0 "$intact" integrity recalculate disk
said '^disk: no tags are missing; none were calculated \(--reset calculates all\)$'
expect 3 "$intact" integrity check disk
said '^DAMAGED sector 78 '
expect 0 "$intact" integrity recalculate disk --reset --integrity crc32
expect 0 "$intact" integrity check disk --integrity crc32
expect 4 "$intact" integrity check disk
said 'every block fails its tag; probably --integrity or its key is wrong'
formatted --integrity hmac-sha256 --integrity-key-file key
sha256sum disk > before
expect 2 "$intact" integrity recalculate disk --integrity hmac-sha256 --integrity-key-file key
said 'no tags are missing'
sha256sum --check --quiet before
expect 6 "$intact" integrity recalculate disk --reset --integrity hmac-sha256 --integrity-key-file key
said 'security'
sha256sum --check --quiet before
expect 0 "$intact" integrity recalculate disk --integrity hmac-sha256 --integrity-key-file key \
  --integrity-legacy-recalculate

# --- resize ---------------------------------------------------------------------------------------
for how in '' --integrity-bitmap-mode; do
  formatted
  expect 0 "$intact" integrity resize disk --size 20000 $how
  said '^disk provides 20000 sectors, 32328 before'
  said '^disk was made shorter: 10465280 bytes, 16777216 before'
  equal "$(stat -c %s disk)" $(((440 + 20000) * 512)) 'size of the file'
  expect 0 "$intact" integrity check disk
  expect 0 "$intact" integrity resize disk --device-size $((64 << 20)) $how
  expect 0 "$intact" integrity check disk
  # Somebody else has made the file longer.
  truncate -s 80M disk
  expect 0 "$intact" integrity resize disk --wipe $how
  ! grep 'was made' "$work/out" || fail 'the file has the length that it had'
  expect 0 "$intact" integrity check disk
  expect 2 "$intact" integrity resize disk --size 0
  said '^intact: disk: --size: out of range'
  expect 2 "$intact" integrity resize disk --device-size 100352
  said 'The device is too small: no room for journal, tags and data of that size'
  expect 2 "$intact" integrity resize disk --device-size 1000001
  said '^intact: disk: --device-size: not a multiple of 512 bytes'
  expect 0 "$intact" integrity check disk
done
# Sizes with units, as integritysetup takes them.
for size in 1M 1MiB 1024K 1048576; do
  rm -f disk
  truncate -s 8M disk
  expect 0 "$intact" integrity format disk -q --journal-size "$size"
  expect 0 "$intact" integrity dump disk
  said '^journal_sections 11$'
done
expect 0 "$intact" integrity resize disk --device-size 3MiB
equal "$(stat -c %s disk)" $((3 << 20)) 'size of the file'
expect 0 "$intact" integrity resize disk --size 1M
said '^disk provides 2048 sectors'
expect 0 "$intact" integrity check disk
rm -f disk
truncate -s 8M disk
expect 0 "$intact" integrity format disk -q --journal-size 1MB --sector-size 4K
expect 2 "$intact" integrity format disk -q --journal-size 1000000
said 'not a multiple of 512 bytes'
expect 2 "$intact" integrity format disk -q --journal-size 1X
said "'1X' has the unknown unit 'X'"
expect 2 "$intact" integrity format disk -q --journal-size 1MB --sector-size 3K
said '^intact: --sector-size 3072: Invalid block_size'
truncate -s 4M data
truncate -s 1M tags
expect 0 "$intact" integrity format tags --data-device data
expect 0 "$intact" integrity resize tags --data-device data --size 16000
said '^data was made longer: 8192000 bytes, 4194304 before'
equal "$(stat -c %s data)" 8192000 'size of the data'
expect 0 "$intact" integrity check tags --data-device data
expect 2 "$intact" integrity resize tags --data-device data --size 1000000
said 'no room'
equal "$(stat -c %s data)" 8192000 'size of the data'

# --- replay ---------------------------------------------------------------------------------------
if (requires nbdkit nbdsh); then
  nbdsh() { PATH=/usr/bin:$PATH command nbdsh "$@"; }
  mac=(--journal-integrity hmac-sha256 --journal-integrity-key-file key)
  formatted "${mac[@]}"
  serve "$intact" integrity open disk "${mac[@]}" --nbd sock
  nbdsh -u "nbd+unix:///?socket=$work/sock" -c "
import os, signal
h.pwrite(b'a' * 512, 512)
h.pwrite(b'b' * 512, 1024)
h.flush()
os.kill($server, signal.SIGKILL)
"
  wait "$server" || :
  cp disk cut-off
  expect 0 "$intact" integrity replay disk "${mac[@]}"
  said 'section 0 entry [0-9]+: sector 1$'
  said 'section 0 entry [0-9]+: sector 2$'
  said '^2 blocks would be written to their places; nothing was written'
  same cut-off disk
  expect 0 "$intact" integrity replay disk "${mac[@]}" --json
  equal "$(jq -c '[.ok, .used_entries, [.entries[] | [.sector, .state]]]' out)" \
    '[true,2,[[1,"replayed"],[2,"replayed"]]]' 'what the journal holds'
  expect 0 "$intact" integrity replay disk "${mac[@]}" --output repaired
  said '^Replayed 2 blocks of 1 section; repaired is clean'
  same cut-off disk
  # A key that can be read but once serves both the look and the replay.
  expect 0 "$intact" integrity replay disk --journal-integrity hmac-sha256 --journal-integrity-key-fd 3 \
    --output again 3< <(cat key)
  same repaired again
  expect 1 "$intact" integrity replay disk "${mac[@]}" --output repaired
  said 'repaired: already exists'
  same repaired again
  ln -s victim link
  expect 1 "$intact" integrity replay disk "${mac[@]}" --output link
  said 'link: already exists'
  [[ -L link && ! -e victim ]] || fail 'written through a link'
  expect 2 "$intact" integrity replay disk "${mac[@]}" --output -
  said 'standard output cannot be used here'
  # Zeros are not written, so a file with content would keep some of it.
  cp repaired opened
  expect 2 "$intact" integrity replay disk "${mac[@]}" --output /dev/fd/4 4<> opened
  said 'must be empty'
  same repaired opened
  expect 0 "$intact" integrity replay disk "${mac[@]}" --in-place
  same repaired disk
  expect 0 "$intact" integrity replay disk "${mac[@]}"
  said 'There is nothing to replay'
  # What the journal holds, changed: that is seen, and nothing is replayed. Entry 0 is in front, the MAC at byte 496.
  for at in 0 500; do
    cp cut-off disk
    flip disk $((4096 + at))
    cp disk spoiled
    expect 3 "$intact" integrity replay disk "${mac[@]}"
    said 'would not be replayed'
    expect 3 "$intact" integrity replay disk "${mac[@]}" --in-place
    said '^intact: disk: .*journal'
    expect 3 "$intact" integrity replay disk "${mac[@]}" --output never
    said '^intact: disk: .*journal'
    [[ ! -e never ]] || fail 'a copy was left'
    same spoiled disk
  done
  # Another key cannot be told from a MAC that was changed.
  cp cut-off disk
  expect 4 "$intact" integrity replay disk --journal-integrity hmac-sha256 --journal-integrity-key-file other-key --in-place
  said '^intact: disk: .*(MAC|key)'
  same cut-off disk

  # What a bitmap marks is settled, and nothing besides: with a key, a block that fails elsewhere goes on failing.
  keyed=(--integrity hmac-sha256 --integrity-key-file key)
  formatted "${keyed[@]}"
  serve "$intact" integrity open disk "${keyed[@]}" --integrity-bitmap-mode --bitmap-sectors-per-bit 4096 --nbd sock
  nbdsh -u "nbd+unix:///?socket=$work/sock" -c "
import os, signal
h.pwrite(b'm' * 512, 4096)
h.flush()
os.kill($server, signal.SIGKILL)
"
  ended 137
  expect 0 "$intact" integrity dump disk
  said 'dirty_bitmap'
  flip disk $((12 << 20))
  expect 0 "$intact" integrity recalculate disk "${keyed[@]}"
  expect 0 "$intact" integrity dump disk
  ! grep -q dirty_bitmap out || fail 'the marks were not settled'
  expect 3 "$intact" integrity check disk "${keyed[@]}"
  said 'DAMAGED'
  expect 2 "$intact" integrity recalculate disk "${keyed[@]}"

  # The data apart: both are copied, and neither original is written to.
  truncate -s 8M far-data
  truncate -s 2M far-tags
  far=(far-tags --data-device far-data)
  expect 0 "$intact" integrity format "${far[@]}"
  serve "$intact" integrity open "${far[@]}" --nbd sock
  nbdsh -u "nbd+unix:///?socket=$work/sock" -c "
import os, signal
h.pwrite(b'c' * 512, 4096)
h.flush()
os.kill($server, signal.SIGKILL)
"
  ended 137
  cp far-data data-before
  cp far-tags tags-before
  expect 2 "$intact" integrity replay "${far[@]}" --output new-tags
  said '--data-output is the copy of --data-device: pass both or neither'
  expect 2 "$intact" integrity replay disk "${mac[@]}" --output new-disk --data-output new-data
  said '--data-output is the copy of --data-device: pass both or neither'
  [[ ! -e new-tags && ! -e new-disk && ! -e new-data ]] || fail 'a copy was left'
  : > taken
  expect 1 "$intact" integrity replay "${far[@]}" --output new-tags --data-output taken
  said '^intact: taken: already exists'
  [[ ! -e new-tags && ! -s taken ]] || fail 'a copy was left'
  expect 0 "$intact" integrity replay "${far[@]}" --output new-tags --data-output new-data
  same data-before far-data
  same tags-before far-tags
  expect 0 "$intact" integrity check new-tags --data-device new-data
  equal "$(dd if=new-data bs=512 skip=8 count=1 status=none | tr -d c | wc -c)" 0 'what was replayed'
  expect 0 "$intact" integrity replay new-tags --data-device new-data
  said 'There is nothing to replay'
fi

# --- integritytab ---------------------------------------------------------------------------------
formatted --integrity hmac-sha256 --integrity-key-file key
cat > tab << TAB
# name device key options
other $work/nowhere - -
root  $work/disk $work/key allow-discards,journal-watermark=40%
odd   $work/disk $work/key frobnicate
TAB
expect 0 "$intact" integrity open --tab tab root --to from-tab
cmp -n $((1 << 20)) from-tab /dev/zero
expect 7 "$intact" integrity open --tab tab other --to x
said "^intact: $work/nowhere: "
expect 7 "$intact" integrity open --tab tab nobody --to x
said "^intact: tab: no line for 'nobody'"
expect 6 "$intact" integrity open --tab tab odd --to x
said "^intact: tab: the line of 'odd': unknown option 'frobnicate'"
expect 2 "$intact" integrity open --to x
said 'nothing to open: pass either FILE or --tab FILE NAME'
expect 2 "$intact" integrity open disk --tab tab root --to x
said 'nothing to open: pass either FILE or --tab FILE NAME'
