#!/usr/bin/env bash
# Options of `verity` and `open`: sizes with units, root hashes with DOS line ends, `-` for stdin and stdout,
# and what the user says of a volume against what its superblock says.
. "$(dirname "$0")/lib.sh"
requires veritysetup timeout
cd "$work" || exit
head -c 2M /dev/urandom > data
salt=000102030405060708090a0b0c0d0e0f
"$intact" verity format data hash --salt $salt --root-hash-file root > out
root=$(cat root)

# --- sizes ----------------------------------------------------------------------------------------
cp data plain
for offset in 2097152 2M 2MiB 2048K 2097152B; do
  cp data one
  expect 0 "$intact" verity format one one --data-blocks 512 --hash-offset $offset --salt $salt
  said "Root hash: .*$root"
  [[ -e first ]] || cp one first
  expect 0 "$intact" verity verify one one "$root" --hash-offset $offset
  expect 0 "$intact" open one --root-hash "$root" --hash-offset $offset --to copy-$offset
  same data copy-$offset
done
expect 0 "$intact" verity format data small --data-block-size 1K --hash-block-size 1KiB --salt $salt
said 'Data block size: .1024$'
for option in --hash-offset --fec-offset --data-block-size --hash-block-size; do
  for value in 1Q 4KK -1 0x1000 18446744073709551616 16E 1.5M 4k4 ''; do
    expect 2 "$intact" verity format data none $option "$value" --fec-device nofec
    said "$option"
  done
  [[ ! -e none && ! -e nofec ]] || fail 'a file was made'
done
expect 2 "$intact" verity format data none --fec-roots 2K --fec-device nofec
said '^intact: --fec-roots'
expect 2 "$intact" verity format data none --data-blocks 1000000
said 'the data area: needs bytes 0 to 4096000000, but its device has only .*; state fewer data blocks'
expect 2 "$intact" verity format data none --data-blocks 4294967296K
said '^intact: --data-blocks'

# --- block sizes come before the length of the data ---------------------------------------------------
head -c 5000 /dev/urandom > odd
for size in 1000 0 1MB 256 1M; do
  expect 2 "$intact" verity format odd none --data-block-size $size
  said 'data block size [0-9]+: not a power of two from 512'
  expect 2 "$intact" verity verify data hash "$root" --no-superblock --data-block-size $size
  said 'data block size [0-9]+: not a power of two from 512'
done
expect 2 "$intact" verity format odd none
said 'odd: its 5000 bytes are not a multiple of the data block size 4096'

# --- root hashes --------------------------------------------------------------------------------------
printf '%s\r\n' "$root" > dos
printf '\n  %s \t\r\n\r\n' "${root^^}" > spaced
printf '%s' "$root" > bare
for file in dos spaced bare; do
  expect 0 "$intact" verity verify data hash --root-hash-file $file
  expect 0 "$intact" open data --hash-device hash --root-hash-file $file --to copy-$file
done
printf '%s %s\n' "${root:0:32}" "${root:32}" > parted
: > empty
for file in parted empty; do
  expect 2 "$intact" verity verify data hash --root-hash-file $file
  said "$file: not a root hash"
done
"$intact" verity verify data hash --root-hash-file - < dos > out || fail 'a root hash on stdin'
"$intact" open data --hash-device hash --root-hash-file - --to copy-stdin < root || fail 'a root hash on stdin'
same data copy-stdin
"$intact" verity format data again --salt $salt --root-hash-file - > out
equal "$(cat out)" "$root" 'a root hash on stdout'
[[ ! -e - ]] || fail 'there is a file of that name'
expect 2 "$intact" verity format data again --root-hash-file - --json
said '^intact: --root-hash-file -: stdout is taken by --json, which contains the root hash'

# --- stdout -------------------------------------------------------------------------------------------
"$intact" verity open data hash "$root" --to - | cmp - data || fail 'a copy to stdout'
cp data damaged
flip damaged 1600000
status=0
"$intact" verity open damaged hash "$root" --to - > part 2> err || status=$?
equal $status 3 'exit status after damage'
grep -q 'DAMAGED damaged: data block 390 ' err || fail "the damage is not named: $(cat err)"
cmp -n "$(stat -c %s part)" part data || fail 'wrong bytes on stdout'
(($(stat -c %s part) < 1600000)) || fail 'bytes of a damaged block on stdout'

# --- the superblock against the user ------------------------------------------------------------------
fitting=(--data-blocks 512 --format 1 --hash sha256 --data-block-size 4K --hash-block-size 4096 --salt "$salt")
expect 0 "$intact" verity verify data hash "$root" "${fitting[@]}"
expect 0 "$intact" verity open data hash "$root" "${fitting[@]}" --to copy6
expect 0 "$intact" open data --hash-device hash --root-hash "$root" --data-blocks 512 --to copy7
expect 0 "$intact" verity verify data hash "$root" --data-blocks 0
for other in '--data-blocks 511' '--data-blocks 513' '--format 0' '--hash sha512' '--data-block-size 512' \
  '--hash-block-size 1K' '--salt 00' '--salt -'; do
  # shellcheck disable=SC2086
  expect 3 "$intact" verity verify data hash "$root" $other
  said "hash: the superblock says .* ${other% *} does"
  # shellcheck disable=SC2086
  expect 3 "$intact" verity open data hash "$root" $other --to none
  said "hash: the superblock says .* ${other% *} does"
  [[ ! -e none ]] || fail 'a copy was made'
done
expect 3 "$intact" open data --hash-device hash --root-hash "$root" --data-blocks 4 --to none
said 'hash: the superblock says 512, not 4 as --data-blocks does'
# An attacker presents the hash blocks of level 0 as data: the root hash fits, the number does not.
{ tail -c +$((2 * 4096 + 1)) hash; } > tree-as-data
head -c $((2 * 4096)) hash > short
printf '\4\0\0\0\0\0\0\0' | dd of=short bs=1 seek=72 conv=notrunc status=none
expect 0 "$intact" verity verify tree-as-data short "$root"
for words in "verity verify tree-as-data short $root" "verity open tree-as-data short $root --to none" \
  "open tree-as-data --hash-device short --root-hash $root --to none"; do
  # shellcheck disable=SC2086
  expect 3 "$intact" $words --data-blocks 512
  said 'short: the superblock says 4, not 512 as --data-blocks does'
done

# --- damage that FEC cannot correct is reported in little time ----------------------------------------
head -c 16M /dev/urandom > large
"$intact" verity format large tree --fec-device parity --root-hash-file large.root > out
cp large bad
head -c 4M /dev/urandom | dd of=bad conv=notrunc status=none
expect 3 timeout 300 "$intact" verity verify bad tree --root-hash-file large.root --fec-device parity
said 'DAMAGED data blocks 0 to 1023 .*does not match its hash; FEC cannot correct it$'
expect 3 "$intact" verity verify bad tree --root-hash-file large.root
said 'DAMAGED data blocks 0 to 1023 .*does not match its hash$'
cp large bad
head -c 64K /dev/urandom | dd of=bad conv=notrunc status=none
expect 3 timeout 300 "$intact" verity verify bad tree --root-hash-file large.root --fec-device parity
said 'DAMAGED data blocks 0 to 15 .*FEC can correct it'
expect 0 "$intact" verity repair bad tree --root-hash-file large.root --fec-device parity --output good
same large good

# --- the hash type is not under the root hash either: blocks that end in zeros verify with other content
if command -v python3 > /dev/null; then
  python3 -c 'import os; open("tails","wb").write(b"".join(os.urandom(4064) + bytes(32) for _ in range(10)))'
  "$intact" verity format tails tails.hash --root-hash-file tails.root > out
  python3 - << 'PYTHON'
import struct
stored, data = open('tails.hash', 'rb').read(), open('tails', 'rb').read()
size = struct.unpack_from('<H', stored, 80)[0]
salt, top = stored[88:88 + size], stored[4096:8192]
superblock = bytearray(stored[:512])
struct.pack_into('<I', superblock, 12, 0)
struct.pack_into('<Q', superblock, 72, 11)
superblock[88:344] = top[-size:].ljust(256, b'\0')
open('moved.hash', 'wb').write(bytes(superblock) + stored[512:4096] + salt + top[:-size])
blocks = [data[i:i + 4096] for i in range(0, len(data), 4096)]
open('moved', 'wb').write(bytes(4096) + b''.join(salt + block[:-size] for block in blocks))
PYTHON
  expect 3 "$intact" verity verify moved moved.hash --root-hash-file tails.root
  said 'damaged in 1 place'
  expect 3 "$intact" verity open moved moved.hash --root-hash-file tails.root --format 1 --to none
  said 'the superblock says 0, not 1 as --format does'
  expect 0 "$intact" verity verify tails tails.hash --root-hash-file tails.root --format 1 --data-blocks 10
fi
