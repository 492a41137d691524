#!/usr/bin/env bash
# intact verity writes the bytes of veritysetup, reads what it wrote, and repairs what it only finds.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
requires veritysetup
cd "$work" || exit
uuid=00000000-0000-0000-0000-000000000001
head -c 2097152 /dev/urandom > data

# same [OPTION...]: both make the same files and print the same lines; each verifies the other's.
same() {
  local fec=() ours_fec=()
  rm -f theirs ours theirs.fec ours.fec
  case " $* " in *' --fec-'*) fec=(--fec-device theirs.fec) ours_fec=(--fec-device ours.fec) ;; esac
  veritysetup format data theirs --uuid=$uuid "${fec[@]}" "$@" 2> theirs.err > theirs.out ||
    fail "veritysetup format $*: $(cat theirs.err)"
  "$intact" verity format data ours --uuid=$uuid "${ours_fec[@]}" "$@" > ours.out
  cmp theirs ours || fail "hash device: $*"
  [[ ${#fec[@]} = 0 ]] || cmp theirs.fec ours.fec || fail "FEC device: $*"
  # veritysetup tells the size of the FEC device only in some cases.
  diff <(sed 's/ for theirs$//; /^FEC device size/d' theirs.out) <(sed 's/ for ours$//; /^FEC device size/d' ours.out) || fail "output: $*"
  diff <(veritysetup dump ours | tail -n +2) <("$intact" verity dump theirs | tail -n +2) || fail "dump: $*"
  root=$(sed -n 's/^Root hash:[[:space:]]*//p' ours.out)
  expect 0 "$intact" verity verify data theirs "$root" "${fec[@]}"
  veritysetup verify data ours "$root" || fail "veritysetup refuses ours: $*"
}

for hash in sha1 sha224 sha256 sha384 sha512 sha512-256 sha512-224 sha3-224 sha3-256 sha3-384 sha3-512 blake2b-512 blake2s-256 sm3 rmd160 md5 whirlpool; do
  same --hash=$hash --salt=00112233
  same --hash=$hash --salt=00112233 --format=0
done
same --salt=-
same --salt=
same --salt="$(printf '%0512d' 7)"
same --salt=01 --data-blocks=1
same --salt=01 --data-blocks=129
for size in 512 1024 2048; do
  same --salt=01 --data-block-size=$size
  same --salt=01 --hash-block-size=$size
  same --salt=01 --data-block-size=$size --hash-block-size=$size --hash=sha512
done
for roots in 2 3 7 23 24; do same --salt=01 --fec-roots=$roots; done
same --salt=01 --fec-roots=4 --fec-offset=8192 --data-block-size=512 --hash-block-size=512

# Without superblock, in one file, with parity in that file as well.
veritysetup format data theirs.raw --no-superblock --salt=01 > /dev/null
"$intact" verity format data ours.raw --no-superblock --salt=01 --root-hash-file root > /dev/null
cmp theirs.raw ours.raw
expect 0 "$intact" verity verify data theirs.raw --root-hash-file root --no-superblock --salt=01
for file in theirs.one ours.one; do cp data $file; truncate -s 4M $file; done
layout=(--uuid="$uuid" --salt=01 --data-blocks=512 --hash-offset=2097152 --fec-offset=3145728)
veritysetup format theirs.one theirs.one "${layout[@]}" --fec-device theirs.one > /dev/null
"$intact" verity format ours.one ours.one "${layout[@]}" --fec-device ours.one > /dev/null
cmp theirs.one ours.one

# New files: one under two names, and none through a link.
apart=(--uuid="$uuid" --salt=01 --fec-offset=1048576)
expect 0 "$intact" verity format data once "${apart[@]}" --fec-device once
expect 0 "$intact" verity format data ./twice "${apart[@]}" --fec-device twice
cmp once twice || fail 'one file under two names differs'
[[ $(stat -c %a twice) = 600 ]] || fail 'a new file is not private'
ln -s nowhere dangling
expect 1 "$intact" verity format data dangling
said 'dangling: already exists'
expect 1 "$intact" verity format data fresh --fec-device dangling
said 'dangling: already exists'
[[ ! -e nowhere && ! -e fresh ]] || fail 'a file was left'
# One that exists is written through a link, as devices are.
: > exists
ln -s exists link
expect 0 "$intact" verity format data link --uuid="$uuid" --salt=01 --fec-device link --fec-offset=1048576
cmp once exists || fail 'one file under two names differs'

# Random configurations: with FEC, for which both block sizes have to be one, and without.
hashes=(sha1 sha256 sha512 sha3-384 blake2s-256 rmd160)
sizes=(512 1024 2048 4096)
for ((i = 0; i < 30; i++)); do
  size=${sizes[RANDOM % 4]}
  config=(--hash="${hashes[RANDOM % 6]}" --salt="$(head -c $((RANDOM % 257)) /dev/urandom | od -An -v -tx1 | tr -d ' \n')"
    --format=$((RANDOM % 2)) --data-block-size="$size" --data-blocks=$((1 + RANDOM % (2097152 / size))))
  if ((i % 2)); then
    same "${config[@]}" --hash-block-size="$size" --fec-roots=$((2 + RANDOM % 23))
  else
    same "${config[@]}" --hash-block-size="${sizes[RANDOM % 4]}"
  fi
done

# Damage is found at its place, reported with what FEC can do, and repaired; the twin is intact.
"$intact" verity format data tree --fec-device parity --root-hash-file root > /dev/null
cp data good
cp tree good.tree
volume=(data tree --root-hash-file root --fec-device parity)
expect 0 "$intact" verity verify "${volume[@]}"
printf X | dd of=data bs=1 seek=8192 conv=notrunc status=none
dd if=/dev/urandom of=data bs=4096 seek=100 count=2 conv=notrunc status=none
dd if=/dev/urandom of=tree bs=4096 seek=3 count=1 conv=notrunc status=none
expect 3 "$intact" verity verify data tree --root-hash-file root
said 'DAMAGED data block 2 \(bytes 8192 to 12287\)'
said 'DAMAGED data blocks 100 to 101'
said 'DAMAGED hash block 2 '
expect 3 "$intact" verity verify "${volume[@]}"
said 'FEC can correct it'
expect 0 "$intact" verity repair "${volume[@]}" --output corrected
said 'repaired data block 2 '
cmp good corrected
expect 1 "$intact" verity repair "${volume[@]}" --output corrected
said '^intact: corrected: already exists'
expect 0 "$intact" verity repair "${volume[@]}"
cmp good data
cmp good.tree tree
expect 0 "$intact" verity verify "${volume[@]}" --json
dd if=/dev/urandom of=data bs=4096 count=300 conv=notrunc status=none
expect 3 "$intact" verity repair "${volume[@]}"
said 'LOST data block'
cp good data

# No hash covers the number of data blocks; the hashes that are then too many tell.
cp tree short
printf '\364\001' | dd of=short bs=1 seek=72 conv=notrunc status=none
expect 3 "$intact" verity verify data short --root-hash-file root
said 'hash block 4 .*may have more data blocks than stated'
! veritysetup verify data short --root-hash-file=root 2> /dev/null || fail 'veritysetup takes a short device'
expect 0 "$intact" verity verify data tree --root-hash-file root -v --debug
veritysetup verify data tree --root-hash-file=root

# A file that was cut is not read as if it were whole; nor is a number believed that no file can have.
for file in data tree parity; do
  cp $file whole
  truncate -s -1 $file
  expect 6 "$intact" verity verify "${volume[@]}"
  said 'was cut short'
  mv whole $file
done
cp tree absurd
printf '\377\377\377\377\377\377\007' | dd of=absurd bs=1 seek=72 conv=notrunc status=none
expect 6 "$intact" verity verify data absurd --root-hash-file root
said '^intact: .*(data area|superblock)'
printf '\177' | dd of=absurd bs=1 seek=79 conv=notrunc status=none
expect 6 "$intact" verity verify data absurd --root-hash-file root
said '^intact: absurd: '
expect 0 "$intact" verity verify "${volume[@]}"

# What cannot be meant.
expect 2 "$intact" verity verify data tree
said '^intact: root hash: not given, or given twice; pass it as the last argument or with --root-hash-file'
expect 2 "$intact" verity verify data tree xyz
said "^intact: 'xyz': not a root hash in hexadecimal"
expect 3 "$intact" verity verify data tree "$(printf %064d 0)"
said 'does not match this root hash'
expect 6 "$intact" verity dump data
said 'not a dm-verity hash device'
head -c 5000 data | gzip > layer.tar.gz
expect 2 "$intact" verity format layer.tar.gz tree2
said 'not a multiple of the data block size 4096, and it is compressed'
[[ ! -e tree2 ]] || fail 'a refused format left a file'
expect 2 "$intact" verity format data data --data-blocks=512 --hash-offset=1048576
said 'overlaps the data area'
expect 2 "$intact" verity format data data
said 'DATA and HASH are the same file; pass --hash-offset 2097152'
cmp good data
expect 2 "$intact" verity format data tree2 --fec-device parity2 --fec-offset=100
said 'FEC offset 100: not a multiple of 512'
expect 6 "$intact" verity format data tree2 --hash=crc32c
said '^intact: .*crc32c'
expect 2 "$intact" verity format data tree2 --data-block-size=1000
said '^intact: .*block size'
expect 2 "$intact" verity format data tree2 --fec-device parity2 --fec-roots=25
said '^intact: .*roots'
expect 7 "$intact" verity format nowhere tree2
said '^intact: nowhere: '
[[ ! -e tree2 && ! -e parity2 ]] || fail 'a refused format left a file'

# The examples of veritysetup's manual page, with the name replaced: options before the command, old names.
cp data one
truncate -s 4M one
cp one one.theirs
examples=(--data-blocks=256 --hash-offset=1052672)
veritysetup "${examples[@]}" format one.theirs one.theirs --uuid=$uuid --salt=01 > /dev/null
expect 0 "$intact" verity "${examples[@]}" format one one --uuid=$uuid --salt=01 --root-hash-file root
cmp one one.theirs
expect 0 "$intact" verity "${examples[@]}" verify one one "$(cat root)"
expect 0 "$intact" verity "${examples[@]}" --root-hash-file root verify one one
expect 0 "$intact" verity -v --debug verify one one --root-hash-file root --hash-offset 1052672
rm -f theirs theirs.fec ours ours.fec
veritysetup --fec-device=theirs.fec --fec-roots=10 format data theirs --uuid=$uuid --salt=01 > /dev/null
expect 0 "$intact" verity --fec-device ours.fec --fec-roots 10 format data ours --uuid=$uuid --salt=01
cmp theirs.fec ours.fec
if [[ ! -e /dev/mapper/control ]]; then
  expect 6 "$intact" verity "${examples[@]}" create test-device one one "$(cat root)"
  said '/dev/mapper/control|device mapper'
  expect 6 "$intact" verity remove test-device
  said '/dev/mapper/control|device mapper'
fi
expect 2 "$intact" verity create test-device one one "$(cat root)" --to copy
said '^intact: create: only for device-mapper devices; use `intact verity open`'
expect 2 "$intact" verity "${examples[@]}"
said '^intact: '
