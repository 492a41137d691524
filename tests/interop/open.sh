#!/usr/bin/env bash
# intact info and open: images are recognised by their content as file(1) would, a volume of dm-verity is
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
said 'nothing that is known'
expect 7 "$intact" info nowhere

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
said 'give its root hash'
[[ ! -e copy ]] || fail 'a copy was made'
expect 0 "$intact" open image --root-hash-file root --to copy
same erofs copy
expect 0 "$intact" open image --root-hash "$(cat root)" --hash-offset "$size" --to copy2
same erofs copy2
expect 3 "$intact" open image --root-hash "$(printf %064d 1)" --to copy3
expect 3 "$intact" open noise --root-hash-file root --to copy3
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
expect 0 "$intact" open damaged --hash-device hash --root-hash-file root --fec-device parity --to copy6
same erofs copy6
expect 2 "$intact" open erofs --hash-device hash --to copy7
# What was to be verified is never opened as it is.
expect 6 "$intact" open erofs --root-hash-file root --to copy7
expect 6 "$intact" open erofs --hash-device raw --root-hash-file root --to copy7
expect 6 "$intact" open image --hash-offset 512 --to copy7
[[ ! -e copy7 ]] || fail 'a copy was made'

# --- what is not opened ---------------------------------------------------------------------------
for format in luks1 luks2 qcow2 tar tar.gz tar.xz; do
  expect 6 "$intact" open $format --to copy7
  said 'format raw'
  expect 0 "$intact" open $format --format raw --to copy7
  same $format copy7
  rm copy7
done
printf 'integrt\0' > integrity
truncate -s 1M integrity
expect 6 "$intact" open integrity --to copy7
said 'intact integrity open'
expect 7 "$intact" open nowhere --to copy7
expect 2 "$intact" open raw

# --- a plain image as a file ----------------------------------------------------------------------
(requires_fuse) || exit 0
# served FILE [OPTION...]
failing=()
served() {
  : >> view
  serve "${failing[@]}" "$intact" open "$@" --fuse view
}
head -c 8M /dev/urandom > content
served raw
dd if=content of=view bs=1M conv=notrunc,fsync status=none
same content view
expect 1 cp content view
expect 8 "$intact" open raw --fuse view2
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
