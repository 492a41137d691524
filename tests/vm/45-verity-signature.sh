#!/usr/bin/env bash
# firmware: UEFI
# Root hashes with a signature that the kernel checks when it makes the device: by one whose certificate the
# firmware holds (/host/platform.pem, so that it is in the kernel's platform keyring), and by a stranger.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe dm-verity
device=/dev/mapper/volume
cp /host/platform.pem /host/platform.key .
keyctl show %:.platform | finds 'intact tests' || fail "the kernel has no certificate of the firmware: $(cat /proc/keys)"
openssl req -new -x509 -newkey rsa:2048 -nodes -keyout stranger.key -out stranger.pem -days 3650 -subj /CN=stranger \
  -config <(printf '[req]\ndistinguished_name=n\n[n]\n') 2> /dev/null
dd if=/dev/urandom of=data bs=1M count=1 status=none
data=$(losetup --find --show data)
truncate -s 512K hash
hash=$(losetup --find --show hash)
for who in platform stranger; do
  expect 0 "$intact" verity format data hash --uuid=12345678-1234-1234-1234-123456789abc --salt=0102 --root-hash-file root \
    --root-hash-signature $who.p7s --sign-key $who.key --sign-cert $who.pem
done
root=$(cat root)
open=("$intact" verity open "$data" volume "$hash" "$root")

case_of "accepted, as by veritysetup"
veritysetup open "$data" volume "$hash" "$root" --root-hash-signature=platform.p7s
dmsetup table volume > table.theirs
veritysetup status volume > status.theirs
expect 0 "$intact" verity status volume
diff "$work/out" status.theirs
said 'verified \(with signature\)'
expect 0 "$intact" verity close volume
expect 0 "${open[@]}" --root-hash-signature platform.p7s
diff table.theirs <(dmsetup table volume) || fail 'another table'
diff status.theirs <(veritysetup status volume) || fail 'another status'
cmp $device data
expect 0 "$intact" verity close volume
# Our check and the kernel's, both.
expect 0 "${open[@]}" --root-hash-signature platform.p7s --root-hash-cert platform.pem
expect 0 "$intact" verity close volume

case_of "refused"
expect 5 "${open[@]}" --root-hash-signature stranger.p7s
said 'does not accept the root hash signature'
[[ ! -e $device ]] || fail 'a device is there'
! veritysetup open "$data" volume "$hash" "$root" --root-hash-signature=stranger.p7s 2> /dev/null ||
  fail 'veritysetup opens it'
expect 5 "${open[@]}" --root-hash-signature platform.p7s --root-hash-cert stranger.pem
said 'platform.p7s: '
expect 5 "${open[@]}" --root-hash-signature /host/key.pub
said 'root hash signature|PKCS#7'
# Another root hash, signed by the right one.
printf '%064d' 7 > other
expect 3 "$intact" verity open "$data" volume "$hash" "$(cat other)" --root-hash-signature platform.p7s
said ': the hash tree does not match this root hash'
equal "$(dmsetup ls)" 'No devices found' devices
# The same without signature.
expect 0 "${open[@]}"
expect 0 "$intact" verity close volume
