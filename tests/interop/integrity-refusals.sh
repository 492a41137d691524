#!/usr/bin/env bash
# What the constructor of Linux's dm-integrity checks, and what else makes a device one that cannot be opened: each is
# refused with its own exit status and words, and nothing is written. Each row has a twin in which all is well.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
head -c 32 /dev/urandom > key
truncate -s 4M disk none mac hmac meta
truncate -s 2M data
plain=(--journal-size 65536)
"$intact" integrity format disk "${plain[@]}" > /dev/null
"$intact" integrity format none --integrity none --tag-size 4 "${plain[@]}" > /dev/null 2>&1
"$intact" integrity format mac --journal-integrity hmac-sha256 --journal-integrity-key-file key "${plain[@]}" > /dev/null
"$intact" integrity format hmac --integrity hmac-sha256 --integrity-key-file key "${plain[@]}" > /dev/null
"$intact" integrity format meta --data-device data -q "${plain[@]}" > /dev/null
provided=$("$intact" integrity dump disk | awk '$1 == "provided_data_sectors" { print $2 }')

# refused STATUS WORDS COMMAND FILE OPTION...: is refused so, and FILE is what it was.
refused() {
  local status=$1 words=$2 file=$4
  cp --sparse=always "$file" before
  expect "$status" "$intact" integrity "${@:3}"
  said "$words"
  cmp "$file" before || fail "${*:3} has written"
  [[ ! -e copy ]] || fail "${*:3} left a copy"
}
# taken COMMAND FILE OPTION...: the twin.
taken() {
  expect 0 "$intact" integrity "$@"
  rm -f copy
}
# poked FILE OFFSET BYTES: `bad` is FILE but for these bytes, written as printf has them.
poked() {
  cp --sparse=always "$1" bad
  # shellcheck disable=SC2059
  printf "$3" | dd of=bad bs=1 seek="$2" conv=notrunc status=none
}

# --- options of open ------------------------------------------------------------------------------
while IFS='|' read -r status words file options; do
  read -ra words_of <<< "$options"
  refused "$status" "$words" open "$file" --to copy "${words_of[@]}"
done << 'ROWS'
2|--journal-watermark 101: Invalid argument: journal_watermark|disk|--journal-watermark 101
2|Invalid bitmap_flush_interval argument|disk|-B --bitmap-flush-time 4294967295
6|Invalid internal hash: unknown hash function|disk|--integrity nonsense
2|--integrity hmac.sha256.: Error setting internal hash key: .* needs a key; pass --integrity-key-file$|disk|--integrity hmac-sha256
4|Error setting internal hash key: crc32c takes a key of 4 bytes|disk|--integrity-key-file key
2|--integrity-key-file: Error setting internal hash key: sha256 takes no key; leave it out|disk|--integrity sha256 --integrity-key-file key
2|--journal-integrity-key-file: Error setting journal mac key: sha256 takes no key|disk|--journal-integrity sha256 --journal-integrity-key-file key
2|--integrity-key-file: key given without an algorithm; pass --integrity$|disk|--integrity none --integrity-key-file key
6|Invalid journal mac: unknown hash function|disk|--journal-integrity nonsense
2|Error setting journal mac key: .* needs a key; pass --journal-integrity-key-file$|disk|--journal-integrity hmac-sha256
6|Invalid journal cipher: unknown cipher|disk|--journal-crypt nonsense
2|Error setting encryption key: ctr\(aes\) needs a key; pass --journal-crypt-key-file$|disk|--journal-crypt ctr-aes
4|Error setting encryption key: .* no key of 5 bytes|disk|--journal-crypt ctr-aes --journal-crypt-key-file key --journal-crypt-key-size 5
4|wrong journal cipher or key|disk|--journal-crypt ctr-aes --journal-crypt-key-file key
2|Bitmap mode can be only used with internal hash|none|-B --integrity none
2|Discard can be only used with internal hash|none|--allow-discards --integrity none
2|Recalculate can only be specified with internal_hash|none|--integrity-recalculate --integrity none
2|^intact: disk: Journal mac mismatch: the device has none; leave out --journal-integrity$|disk|--journal-integrity hmac-sha256 --journal-integrity-key-file key
4|^intact: mac: Journal mac mismatch: the device has one; pass --journal-integrity and its key$|mac|
4|the superblock fails its MAC|mac|--journal-integrity hmac-sha512 --journal-integrity-key-file key
6|Integrity profile not supported: in-line mode|disk|--integrity-inline
2|Metadata device not supported in inline mode|meta|--integrity-inline --data-device data
2|Internal hash not set in inline mode|none|--integrity-inline --integrity none
2|Journal crypt not supported in inline mode|disk|--integrity-inline --journal-crypt ctr-aes --journal-crypt-key-file key
2|Journal crypt not supported in inline mode|disk|--integrity-inline --journal-integrity sha256
2|Discards not supported in inline mode|disk|--integrity-inline --allow-discards
6|Invalid interleave_sectors in the superblock: its data are on a separate device|meta|
6|Invalid interleave_sectors in the superblock: its data are among the tags|disk|--data-device data
6|The device is not initialized: no magic|disk|--start 8
2|The device is too small: it ends before the superblock|disk|--start 99999999
ROWS
taken open disk --to copy --journal-watermark 100
taken open disk --to copy -B --bitmap-flush-time 1000
taken open none --to copy --integrity none
taken open mac --to copy --journal-integrity hmac-sha256 --journal-integrity-key-file key
taken open hmac --to copy --integrity hmac-sha256 --integrity-key-file key
taken open meta --to copy --data-device data

# --- superblocks ----------------------------------------------------------------------------------
while IFS='|' read -r status words offset bytes options; do
  poked disk "$offset" "$bytes"
  read -ra words_of <<< "$options"
  refused "$status" "$words" open bad --to copy "${words_of[@]}"
done << 'ROWS'
6|The device is not initialized|0|x|
6|Unknown version: 0|8|\0|
6|Unknown version: 7|8|\7|
6|Invalid interleave_sectors in the superblock: 2\^2$|9|\2|
6|Invalid interleave_sectors in the superblock: 2\^32$|9|\40|
6|impossible tag size of 0 bytes|10|\0\0|
6|impossible tag size of 256 bytes|10|\0\1|
6|journal_sections is 0|12|\0\0\0\0|
6|The device is too small|12|\377\377\377\177|
6|Not enough provided sectors .* says 72057594037927936,|16|\0\0\0\0\0\0\0\1|
6|journal_sections is not 0|24|\070|
6|blocks of more than 4096 bytes|28|\4|
ROWS
taken open disk --to copy
poked disk 12 '\0\0\0\0'
printf '\070' | dd of=bad bs=1 seek=24 conv=notrunc status=none
refused 6 'Inline flag mismatch' open bad --to copy
# An unknown flag: the device can be read, but is not written.
poked disk 25 '\1'
taken open bad --to copy
refused 6 'unknown flags \(0x100\)' replay bad --in-place
taken replay disk --in-place
# Anyone who writes to the superblock could have tags made for anything.
poked hmac 24 '\032'
refused 6 'Recalculating with HMAC is disabled for security reasons' open bad --to copy --integrity hmac-sha256 \
  --integrity-key-file key
taken open bad --to copy --integrity hmac-sha256 --integrity-key-file key --integrity-legacy-recalculate
truncate -s 4M zeros
refused 7 'The device is not initialized: it has no superblock' open zeros --to copy

# --- devices that were cut short ------------------------------------------------------------------
# What is left is not taken for the whole, by any command; resize is how to say that it is.
for size in $(((4 << 20) - 65536)) 2M 256K 64K 4K; do
  cp disk bad
  truncate -s "$size" bad
  for command in 'check bad' 'open bad --to copy' 'open bad --to copy -B' 'replay bad' 'replay bad --in-place' \
    'recalculate bad' 'recalculate bad --reset'; do
    read -ra words_of <<< "$command"
    refused 6 'Not enough provided sectors|The device is too small' "${words_of[@]}"
  done
done
for size in 4095 1 0; do
  cp disk bad
  truncate -s "$size" bad
  refused 6 'The device is too small|too small for a superblock' check bad
  refused 6 'too small for a superblock' dump bad
done
cp disk bad
truncate -s 2M bad
taken open bad --to copy -R
expect 0 "$intact" integrity resize bad
said "^bad provides [0-9]+ sectors, $provided before"
taken check bad
cp data whole
truncate -s 1M data
refused 6 'Not enough provided sectors' open meta --to copy --data-device data
mv whole data
taken open meta --to copy --data-device data
cp meta whole
truncate -s 64K meta
refused 6 'The device is too small' open meta --to copy --data-device data
mv whole meta

# --- format ---------------------------------------------------------------------------------------
truncate -s 4M new
while IFS='|' read -r status words options; do
  read -ra words_of <<< "$options"
  refused "$status" "$words" format new "${words_of[@]}"
done << 'ROWS'
2|--tag-size 0: Invalid tag size|--tag-size 0
2|Too big tag size: 256 bytes|--tag-size 256
2|Unknown tag size|--integrity none
2|--sector-size 777: Invalid block_size argument; pass 512, 1024, 2048 or 4096 bytes|--sector-size 777
2|Invalid block_size argument|--sector-size 8192
2|Could not initialize superblock|--journal-size 104857600
2|Invalid argument: journal_watermark|--journal-watermark 101
6|Integrity profile not supported: in-line mode|--integrity-inline
6|Invalid internal hash|--integrity nonsense
ROWS
for options in '--tag-size 255 --interleave-sectors 64' '--integrity none --tag-size 4' '--sector-size 4096' '--journal-watermark 0'; do
  read -ra words_of <<< "$options"
  taken format new -q --no-wipe "${words_of[@]}"
done
