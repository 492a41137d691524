#!/usr/bin/env bash
# intact integrity format and dump beside integritysetup, which tells what it sees in a superblock without a kernel's
# help; and what must be refused, with nothing written.
. "$(dirname "$0")/lib.sh"
requires integritysetup
cd "$work" || exit
# The last byte is not zero: HMAC pads keys with zeros, and a shorter key would be the same.
{ head -c 31 /dev/urandom; printf k; } > key
head -c 32 /dev/urandom > journal-key
with_key=(--integrity-key-file key --integrity-key-size 32)

# dumped FILE: both say the same of it, word for word.
dumped() {
  expect 0 "$intact" integrity dump "$1"
  mv out ours
  integritysetup dump "$1" > theirs
  same theirs ours
}

# formatted SIZE PROVIDED OPTION...: a device of that size provides so many sectors, and is intact.
formatted() {
  local size=$1 provided=$2
  shift 2
  rm -f disk
  truncate -s "$size" disk
  expect 0 "$intact" integrity format disk "$@"
  said '^Formatted with tag size [0-9]+, internal integrity '
  dumped disk
  grep -qx "provided_data_sectors $provided" ours || fail "format $*: $(grep provided ours)"
  local options=() option skip=0
  for option; do  # what is in the superblock is not passed again
    if ((skip)); then skip=0; continue; fi
    case $option in
      --sector-size | --journal-size | --interleave-sectors) skip=1 ;;
      --integrity-legacy-padding) ;;
      *) options+=("$option") ;;
    esac
  done
  expect 0 "$intact" integrity check disk "${options[@]}"
  said "disk is intact: $provided of $provided sectors checked"
}

# The sizes are those that Linux makes of such devices.
formatted 16M 32328
formatted 64M 129160
formatted 64M 130152 --sector-size 4096
formatted 64M 129256 --sector-size 4096 --integrity-legacy-padding
formatted 64M 128136 --integrity xxhash64
formatted 64M 125008 --integrity sha1
formatted 64M 121904 --integrity sha256
formatted 64M 129248 --integrity sha256 --sector-size 4096
formatted 64M 129376 --integrity sha256 --sector-size 4096 --tag-size 28
formatted 16M 32336 --journal-integrity hmac-sha256 --journal-integrity-key-file journal-key
formatted 32M 64664 --integrity crc32 --integrity-legacy-padding --integrity-legacy-hmac
formatted 32M 60992 --integrity hmac-sha256 "${with_key[@]}" --integrity-legacy-padding
formatted 600K 760
grep -qx 'superblock_version 5' ours || fail 'no salt'
formatted 16M 32328 --integrity-legacy-hmac
grep -qx 'superblock_version 4' ours || fail 'a salt that was not wanted'
grep -qx 'flags fix_padding ' ours || fail 'the padding is not fixed'
formatted 16M 32152 --journal-size 180224
formatted 16M 32304 --interleave-sectors 4096 --sector-size 4096

# Data that lie apart are kept.
head -c 16M /dev/urandom > data
cp data before
truncate -s 1M tags
expect 1 "$intact" integrity format tags --data-device data
said 'data: not empty'
expect 0 "$intact" integrity format tags --data-device data --no-wipe
dumped tags
grep -qx 'provided_data_sectors 32768' ours || fail "$(cat ours)"
expect 4 "$intact" integrity check tags --data-device data
said '^intact: tags: every block fails its tag; .* or no tags have been written yet'
expect 0 "$intact" integrity recalculate tags --data-device data
expect 0 "$intact" integrity check tags --data-device data
same before data
dumped tags
grep -q 'recalculating' ours || fail 'the flag is gone'
expect 0 "$intact" integrity open tags --data-device data --to copy
same data copy

# --- refused, with nothing written ----------------------------------------------------------------
rm -f disk
truncate -s 16M disk
expect 0 "$intact" integrity format disk
cp disk before
# Status, what is said, options.
while IFS='|' read -r status words options; do
  # shellcheck disable=SC2086
  expect "$status" "$intact" integrity format disk $options
  said "$words"
  cmp disk before || fail "format $options has written"
done << 'REFUSALS'
2|Invalid block_size argument|--sector-size 777
2|[Tt]ag size|--tag-size 300
2|--journal-size: not a multiple of 512 bytes|--journal-size 1000
6|nonsense|--integrity nonsense
2|needs a key; pass --integrity-key-file$|--integrity hmac-sha256
4|key|--integrity crc32c --integrity-key-file key
1|not empty; pass --batch-mode|--sector-size 4096
4|--integrity: the key has 32 bytes, not 33|--integrity hmac-sha256 --integrity-key-file key --integrity-key-size 33
2|Could not initialize superblock: the device is too small|--start 99999999999
2|Could not initialize superblock|--start 32600 -q
7|--integrity-key-file: nowhere: |--integrity hmac-sha256 --integrity-key-file nowhere
2|--data-device: same file as FILE|--data-device disk
REFUSALS
expect 1 "$intact" integrity format disk
said '^intact: disk: not empty; pass --batch-mode \(-q\) to overwrite it'
expect 0 "$intact" integrity format disk -q --sector-size 4096
dumped disk
truncate -s 100K small
expect 2 "$intact" integrity format small
said '^intact: small: Could not initialize superblock'
expect 7 "$intact" integrity format nowhere
said '^intact: nowhere: '
head -c 1M /dev/urandom > noise
for words in 'dump noise' 'check noise' 'open noise --to copy2'; do
  # shellcheck disable=SC2086
  expect 6 "$intact" integrity $words
  said '^intact: noise: dm-integrity superblock: '
done
truncate -s 1M zeros
expect 6 "$intact" integrity dump zeros
said '^intact: zeros: dm-integrity superblock: '
expect 7 "$intact" integrity check zeros
said '^intact: zeros: The device is not initialized'
[[ ! -e copy2 ]] || fail 'a copy of noise was left'
