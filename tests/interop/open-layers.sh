#!/usr/bin/env bash
# intact open with volumes in volumes: dm-verity in dm-integrity, dm-integrity in dm-verity, dm-integrity in
# itself. Each layer checks what is read through it and is named when it finds damage; what cannot be opened is
# refused wherever it lies.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
requires jq mkfs.erofs cryptsetup
requires_fuse
block=4096

formats() { "$intact" info --json "$@" | jq -r '[.layers[].format] | join(" ")'; }
# served FILE [OPTION...]
served() {
  : >> view
  serve "$intact" open "$@" --fuse view
}
# put FILE DEVICE [OPTION...]: writes a file to the beginning of what is in a dm-integrity device
put() {
  local file=$1
  shift
  : >> view
  serve "$intact" integrity open "$@" --fuse view
  dd if="$file" of=view bs=64K conv=notrunc,fsync status=none
  stop
}
# place_of FILE BLOCK-FILE: the last byte offset at which the block lies in the file
place_of() {
  perl -e 'local $/; open(my $f, "<:raw", $ARGV[0]); open(my $b, "<:raw", $ARGV[1]);
    my $at = rindex(<$f>, <$b>); $at >= 0 or die "no such block\n"; print $at' "$1" "$2"
}
# page NUMBER: reads one page of the view, past the cache
page() { dd if=view of=page bs=$block skip="$1" count=1 iflag=direct status=none; }

mkdir tree
head -c 600000 /dev/urandom > tree/content
mkfs.erofs erofs tree > /dev/null
size=$(stat -c %s erofs)
cp erofs image
expect 0 "$intact" verity format image image --data-blocks $((size / block)) --hash-offset "$size" --root-hash-file root
head -c 32 /dev/urandom > key

# --- dm-verity in dm-integrity --------------------------------------------------------------------
keyed=(--integrity-key-file key)
truncate -s 4M disk
expect 0 "$intact" integrity format disk --integrity hmac-sha256 "${keyed[@]}" --sector-size $block
put image disk --integrity hmac-sha256 "${keyed[@]}"
cp disk plain.disk
equal "$(formats disk)" 'integrity verity erofs' layers
expect 2 "$intact" open disk "${keyed[@]}" --to copy
said 'disk \(in dm-integrity\): a dm-verity volume .*no root hash is given'
expect 2 "$intact" open disk --root-hash-file root --to copy
said 'pass --integrity-key-file'
expect 3 "$intact" open disk "${keyed[@]}" --root-hash "$(printf %064d 1)" --to copy
said ': the hash tree does not match this root hash'
expect 6 "$intact" open disk "${keyed[@]}" --root-hash-file root --hash-offset 512 --to copy
said 'disk: no dm-verity superblock found; pass --hash-offset'
[[ ! -e copy ]] || fail 'a copy was made'
expect 0 "$intact" open disk "${keyed[@]}" --root-hash-file root --to copy
same erofs copy
expect 0 "$intact" open disk "${keyed[@]}" --root-hash-file root --hash-offset "$size" --to copy2
same erofs copy2
# Nothing can be written, nothing is, and several may read.
served disk "${keyed[@]}" --root-hash-file root
grep -q 'can be read at' served.out || fail "for writing: $(cat served.out)"
same erofs view
expect 0 "$intact" open disk "${keyed[@]}" --root-hash-file root --to copy3
equal "$("$intact" integrity status disk --json | jq -r '[.servers[].format] | join(" ")')" 'integrity verity' 'layers that count'
"$intact" integrity status disk --json | jq -e '.servers[1].verified > 0' > /dev/null || fail 'nothing was counted'
stop
same disk plain.disk
if (requires nbdkit nbdcopy); then
  uri="nbd+unix:///?socket=$work/sock"
  serve "$intact" open disk "${keyed[@]}" --root-hash-file root --nbd sock
  nbdcopy "$uri" - | cmp - erofs
  stop
  same disk plain.disk
fi
# Damage below the tags is found by the first layer.
dd if=erofs of=block bs=$block skip=20 count=1 status=none
cp disk damaged
flip damaged "$(place_of damaged block)"
expect 3 "$intact" open damaged "${keyed[@]}" --root-hash-file root --to copy4
said 'DAMAGED damaged: sectors 160 to 167 '
served damaged "${keyed[@]}" --root-hash-file root
page 19
page 21
expect 1 page 20
said 'Input/output error'
said 'Input/output error'
stop
grep -q 'DAMAGED damaged: sectors 160 to 167 ' served.err || fail "not named: $(cat served.err)"
if (requires nbdkit qemu-io); then
  serve "$intact" open damaged "${keyed[@]}" --root-hash-file root --nbd sock
  expect 0 qemu-io -r -f raw -c "read $((19 * block)) $block" -c "read $((21 * block)) $block" "$uri"
  expect 1 qemu-io -r -f raw -c "read $((20 * block)) $block" "$uri"
  said 'Input/output error'
  stop
fi
# What was written with new tags, by someone with the key, is found by the second layer.
cp image changed
flip changed $((20 * block))
cp disk damaged
put changed damaged --integrity hmac-sha256 "${keyed[@]}"
expect 3 "$intact" open damaged "${keyed[@]}" --root-hash-file root --to copy4
said 'DAMAGED damaged, layer 2 \(verity\): data block 20 '
served damaged "${keyed[@]}" --root-hash-file root
page 21
expect 1 page 20
said 'Input/output error'
stop
grep -q 'DAMAGED damaged, layer 2 (verity): data block 20 ' served.err || fail "not named: $(cat served.err)"
[[ ! -e copy4 ]] || fail 'a copy of what is damaged was made'
# Where the hash needs no key all of it can be seen.
truncate -s 4M open
expect 0 "$intact" integrity format open --integrity crc32c
put image open
equal "$(formats open)" 'integrity verity erofs' layers
expect 0 "$intact" open open --root-hash-file root --to copy5
same erofs copy5
put erofs open
expect 0 "$intact" open open --root-hash-file root --to copy6
same erofs copy6
# One that is expected and not there is missed.
truncate -s 4M none
expect 0 "$intact" integrity format none --integrity crc32c
put erofs none
expect 6 "$intact" open none --root-hash-file root --to copy7
said 'no dm-verity superblock'

# --- dm-integrity in dm-verity --------------------------------------------------------------------
# As a crash left it: with a journal that was committed.
cp none crashed
: >> view
serve "$intact" integrity open crashed --journal-commit-time 60000 --journal-watermark 99 --fuse view
dd if=block of=view bs=$block seek=3 conv=notrunc,fsync status=none
cp crashed inner
stop
expect 0 "$intact" integrity open inner --readonly --to seen
head -c $((4 * block)) seen | tail -c $block | cmp - block || fail 'the journal was lost'
size=$(stat -c %s inner)
expect 0 "$intact" verity format inner inner --data-blocks $((size / block)) --hash-offset "$size" --root-hash-file root2
cp inner inner.before
equal "$(formats inner)" 'verity integrity erofs' layers
expect 2 "$intact" open inner --to copy7
said 'no root hash is given; pass --root-hash'
expect 0 "$intact" open inner --root-hash-file root2 --to seen2
same seen seen2
served inner --root-hash-file root2
grep -q 'can be read at' served.out || fail "for writing: $(cat served.out)"
same seen view
stop
same inner inner.before
flip inner $((size - block))
expect 3 "$intact" open inner --root-hash-file root2 --to copy7
said 'DAMAGED inner: data block '
# The tree in a file of its own.
head -c "$size" inner.before > inner
expect 0 "$intact" verity format inner tree2 --root-hash-file root3
expect 0 "$intact" open inner --hash-device tree2 --root-hash-file root3 --to seen3
same seen seen3

# --- dm-integrity in dm-integrity -----------------------------------------------------------------
truncate -s 8M outer
expect 0 "$intact" integrity format outer --integrity crc32c --sector-size $block
put none outer
equal "$(formats outer)" 'integrity integrity erofs' layers
served outer
grep -q 'read and written' served.out || fail "not for writing: $(cat served.out)"
cmp -n "$(stat -c %s erofs)" erofs view
dd if=block of=view bs=$block seek=100 conv=notrunc,fsync status=none
expect 8 "$intact" open outer --to copy8
said '^intact: outer: in use by another process'
stop
served outer --readonly
page 100
same block page
stop
expect 0 "$intact" integrity check outer --integrity crc32c

# --- what is refused ------------------------------------------------------------------------------
truncate -s 32M luks2
echo secret > password
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 luks2 password
truncate -s 16M luks2
tar -cf tar tree
truncate -s %$block tar
for inside in luks2 tar image; do
  cp $inside twice
  size=$(stat -c %s twice)
  expect 0 "$intact" verity format twice twice --data-blocks $((size / block)) --hash-offset "$size" --root-hash-file root4
  expect 6 "$intact" open twice --root-hash-file root4 --hash-offset "$size" --to copy9
  said 'twice \(in dm-verity\): .*`intact verity open`'
  expect 0 "$intact" verity open twice twice --hash-offset "$size" --root-hash-file root4 --to copy9
  same $inside copy9
  rm copy9
done

# An option whose variable is not set in a script asks for a check that must not be left out silently.
truncate -s 64K "$work/plain"
for option in --root-hash --root-hash-file --hash-device --integrity --integrity-key-file --integrity-key-fd \
  --journal-integrity --journal-crypt --fec-device; do
  expect 2 "$intact" open "$work/plain" "$option" '' --to "$work/unchecked"
  said "intact: $option: "
  [[ ! -e $work/unchecked ]]
done
expect 0 "$intact" open "$work/plain" --to "$work/unchecked"
