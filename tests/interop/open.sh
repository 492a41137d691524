#!/usr/bin/env bash
# intact info and open: images are identified by their content as file(1) does, a volume of dm-verity is
# opened with its root hash and in no other way, and a plain one is written to as a file.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
requires jq mkfs.erofs mksquashfs mkfs.ext4 qemu-img cryptsetup

# formats FILE [OPTION...]: the names of its layers.
formats() { "$intact" info --json "$@" | jq -r '[.layers[].format] | join(" ")'; }

# --- what there is --------------------------------------------------------------------------------
mkdir tree
head -c 300000 /dev/urandom > tree/content
mkfs.erofs erofs tree > /dev/null
mksquashfs tree squashfs -quiet -no-progress > /dev/null
truncate -s 8M ext4 luks1 luks2 raw
mkfs.ext4 -q -L label ext4
echo secret > key
for type in luks1 luks2; do
  truncate -s 32M $type
  cryptsetup luksFormat -q --type $type --pbkdf-force-iterations 1000 ${type:+--pbkdf=pbkdf2} $type key
done
qemu-img create -q -f qcow2 base.qcow2 16M
qemu-img create -q -f qcow2 -F qcow2 -b base.qcow2 qcow2
tar -cf tar tree
gzip -k tar
xz -k tar
for format in erofs squashfs ext4 luks1 luks2 qcow2 tar; do
  equal "$(formats $format)" $format "the layers of $format"
done
equal "$(formats tar.gz)" gzip layers
equal "$(formats tar.xz)" xz layers
equal "$(formats raw)" '' layers
equal "$("$intact" info --json ext4 | jq -r '.layers[0].volume_name')" label name
equal "$("$intact" info --json erofs | jq -r '.layers[0].size')" "$(stat -c %s erofs)" size
equal "$("$intact" info --json squashfs | jq '.layers[0].size <= .size')" true 'size fits'
equal "$("$intact" info --json ext4 | jq -r '.layers[0].size')" 8388608 size
equal "$("$intact" info --json qcow2 | jq -r '.layers[0] | "\(.virtual_size) \(.backing_file)"')" '16777216 base.qcow2' facts
equal "$("$intact" info --json luks2 | jq -r '.layers[0].uuid')" "$(cryptsetup luksUUID luks2)" UUID
expect 0 "$intact" info raw
said 'no known format'
expect 7 "$intact" info nowhere
said '^intact: nowhere: No such file or directory'

# --- dm-verity ------------------------------------------------------------------------------------
cp erofs image
size=$(stat -c %s image)
block=4096
expect 0 "$intact" verity format image image --data-blocks $((size / block)) --hash-offset "$size" --root-hash-file root
equal "$(formats image)" 'verity erofs' layers
expect 0 "$intact" info image
said "dm-verity, at byte $size"
cp image noise
dd if=/dev/urandom of=noise bs=$block count=1 conv=notrunc status=none
equal "$(formats noise)" verity 'layers without a file system'
expect 2 "$intact" open image --to copy
said 'no root hash is given; pass --root-hash'
[[ ! -e copy ]] || fail 'a copy was made'
expect 0 "$intact" open image --root-hash-file root --to copy
same erofs copy
expect 0 "$intact" open image --root-hash "$(cat root)" --hash-offset "$size" --to copy2
same erofs copy2
expect 3 "$intact" open image --root-hash "$(printf %064d 1)" --to copy3
said '^intact: image: the hash tree does not match this root hash'
expect 3 "$intact" open noise --root-hash-file root --to copy3
said 'DAMAGED noise: data block 0 \(bytes 0 to 4095\): does not match its hash'
expect 0 "$intact" open image --format raw --to copy4
same image copy4
# In a file of its own, with parity.
expect 0 "$intact" verity format erofs hash --root-hash-file root --fec-device parity
equal "$(formats hash)" verity layers
expect 0 "$intact" open erofs --hash-device hash --root-hash-file root --to copy5
same erofs copy5
cp erofs damaged
dd if=/dev/zero of=damaged bs=$block count=1 conv=notrunc status=none
expect 3 "$intact" open damaged --hash-device hash --root-hash-file root --to copy6
said 'DAMAGED damaged: data block 0 \(bytes 0 to 4095\): does not match its hash'
expect 0 "$intact" open damaged --hash-device hash --root-hash-file root --fec-device parity --to copy6
same erofs copy6
expect 2 "$intact" open erofs --hash-device hash --to copy7
said 'no root hash is given; pass --root-hash'
# What was to be verified is never opened as it is.
expect 6 "$intact" open erofs --root-hash-file root --to copy7
said 'erofs: no dm-verity superblock found; pass --hash-offset'
expect 6 "$intact" open erofs --hash-device raw --root-hash-file root --to copy7
said 'raw: no dm-verity superblock found; pass --hash-offset'
expect 6 "$intact" open image --hash-offset 512 --to copy7
said 'image: no dm-verity superblock found; pass --hash-offset'
[[ ! -e copy7 ]] || fail 'a copy was made'

# --- what is not opened ---------------------------------------------------------------------------
for format in luks1 luks2 qcow2 tar tar.gz tar.xz; do
  expect 6 "$intact" open $format --to copy7
  said 'format raw'
  expect 0 "$intact" open $format --format raw --to copy7
  same $format copy7
  rm copy7
done
expect 7 "$intact" open nowhere --to copy7
said '^intact: nowhere: No such file or directory'
expect 2 "$intact" open raw
said 'how to open the volume: pass one of --fuse FILE'

# --- dm-integrity ---------------------------------------------------------------------------------
# The hash is found out by the tags.
head -c 32 /dev/urandom > secret
head -c 32 /dev/urandom > other
keyed=(--integrity-key-file secret)
# device NAME [OPTION...]: of 4 MiB, all zeros
device() {
  truncate -s 4M "$1"
  expect 0 "$intact" integrity format "$@"
}
device plain --integrity sha256
equal "$("$intact" info --json plain | jq -r '.layers[0].integrity')" sha256 hash
expect 0 "$intact" open plain --to zeros
cmp -n "$(stat -c %s zeros)" zeros /dev/zero
device hmac --integrity hmac-sha256 "${keyed[@]}"
equal "$("$intact" info --json hmac | jq -r '.layers[0].integrity')" null 'hash without key'
expect 2 "$intact" open hmac --to copy7
said 'pass --integrity-key-file'
expect 4 "$intact" open hmac --integrity-key-file other --to copy7
said 'with or without this key'
expect 0 "$intact" open hmac "${keyed[@]}" --to zeros.hmac
cmp -n "$(stat -c %s zeros.hmac)" zeros.hmac /dev/zero
# With a key, tags that anyone can make are not accepted, and with a named hash no other hash is.
expect 4 "$intact" open plain "${keyed[@]}" --to copy7
said 'which anyone can compute'
expect 2 "$intact" open plain --integrity crc32c --to copy7
said 'wrong internal hash'
for none in raw image; do
  expect 6 "$intact" open $none "${keyed[@]}" --to copy7
  said 'not a dm-integrity device'
done
expect 2 "$intact" open plain --integrity-key-size 32 --to copy7
said '^intact: --integrity-key-size: key size given without a key; pass --integrity-key-file$'
# Without tags the hash cannot be detected.
device fresh --no-wipe
expect 2 "$intact" open fresh --to copy7
said 'the sampled tags are blank'
device mac --integrity hmac-sha256 "${keyed[@]}" --journal-integrity hmac-sha256 --journal-integrity-key-file other
expect 2 "$intact" open mac "${keyed[@]}" --to copy7
said 'pass --journal-integrity'
expect 0 "$intact" open mac "${keyed[@]}" --journal-integrity hmac-sha256 --journal-integrity-key-file other --to zeros.mac
device crypt --journal-crypt ctr-aes --journal-crypt-key-file other
expect 2 "$intact" open crypt --to copy7
said 'pass --journal-crypt'
expect 0 "$intact" open crypt --journal-crypt ctr-aes --journal-crypt-key-file other --to zeros.crypt
truncate -s 4M apart data
expect 0 "$intact" integrity format apart --data-device data
expect 2 "$intact" open apart --to copy7
said 'on a separate device'
[[ ! -e copy7 ]] || fail 'a copy was made'
# Damage must not make another hash look right.
cp plain damaged
printf x | dd of=damaged bs=1 seek=$((3 << 20)) conv=notrunc status=none
expect 3 "$intact" open damaged --to copy7
said 'DAMAGED damaged: '
rm -f copy7

# --- a plain image as a file ----------------------------------------------------------------------
(requires_fuse) || exit 0
# served FILE [OPTION...]
failing=()
served() {
  : >> view
  serve "${failing[@]}" "$intact" open "$@" --fuse view
}
head -c 8M /dev/urandom > content
# The content of dm-integrity: written through the tags, and identified.
served plain
grep -q 'read and written' served.out || fail "not for writing: $(cat served.out)"
dd if=erofs of=view bs=4K conv=notrunc,fsync status=none
stop
equal "$(formats plain)" 'integrity erofs' layers
expect 0 "$intact" integrity check plain --integrity sha256
served plain --readonly
cmp -n "$(stat -c %s erofs)" erofs view
stop
# A few tags of a checksum may fit by chance: enough to read by, and not to write.
device few --no-wipe
: >> view
serve "$intact" integrity open few --fuse view
dd if=erofs of=view bs=512 count=3 conv=notrunc,fsync status=none
stop
expect 2 "$intact" open few --fuse view
said 'only 3 of 3 sampled tags match crc32c, too few to allow writing'
served few --readonly
dd if=view of=seen bs=512 count=3 iflag=direct status=none
cmp -n 1536 erofs seen
stop
served few --integrity crc32c
dd if=erofs of=view bs=512 count=64 conv=notrunc,fsync status=none
stop
served few
grep -q 'read and written' served.out || fail "not for writing: $(cat served.out)"
stop
device outer --integrity crc32c
served outer
dd if=luks2 of=view bs=4K count=100 conv=notrunc,fsync status=none
stop
expect 6 "$intact" open outer --to copy7
said 'intact integrity open'
served raw
dd if=content of=view bs=1M conv=notrunc,fsync status=none
same content view
expect 1 cp content view
said 'view'
expect 8 "$intact" open raw --fuse view2
said '^intact: raw: in use by another process'
qemu-img compare -f raw -F raw -U content view > /dev/null || fail 'qemu-img reads something else'
printf x | dd of=view bs=1 seek=12345 conv=notrunc status=none
fallocate --punch-hole --offset 1000000 --length 3000000 view
dd if=view of=seen bs=1M iflag=direct status=none
stop
same seen raw
printf x | dd of=content bs=1 seek=12345 conv=notrunc status=none
dd if=/dev/zero of=content bs=1 seek=1000000 count=0 conv=notrunc status=none
perl -e 'open(my $f, "+<:raw", "content") or die; seek($f, 1000000, 0); print $f "\0" x 3000000;'
same content raw
served raw --readonly
! { printf x >> view; } 2> /dev/null || fail 'it can be written to'
same content view
stop
# What cannot be made durable at the end is the exit status.
if (requires strace) && strace -qq -o /dev/null -e inject=fdatasync:error=EIO true 2> /dev/null; then
  failing=(strace -D -f -qq -o strace.log -e trace=fdatasync -e inject=fdatasync:error=EIO)
  served raw
  expect 1 dd if=content of=view bs=4096 count=1 conv=notrunc,fsync status=none
  said 'Input/output error'
  stop 1
  failing=()
fi
if command -v fio > /dev/null; then
  served raw
  for engine in sync mmap; do
    expect 0 fio --name=w --filename=view --ioengine=$engine --rw=randwrite --bsrange=512-64k --size=8M --verify=crc32c \
      --do_verify=1 --end_fsync=1 --output=fio.log
  done
  stop
fi
