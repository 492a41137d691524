#!/usr/bin/env bash
# Sectors as the kernel's dm-crypt and SectorCrypt encrypt them: the same bytes for every cipher mode and IV mode, tags
# that each accepts of the other, and refusals in the same words.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
cp /build/tests/crypt_lab .
modprobe dm-crypt
modprobe dm-integrity
head -c 16384 /dev/urandom > plain
sectors=32
mkdir ours kernels
truncate -s 1M disk meta
disk=$(losetup --find --show disk)
meta=$(losetup --find --show meta)

# A key of N bytes, the same for all that have this size.
head -c 4096 /dev/urandom | od -A n -v -t x1 | tr -d ' \n' > hex
key() { head -c $((2 * $1)) hex; }
# lines FILE: makes it out of stdin, whose second word is the size of a key.
lines() {
  local spec size rest
  while read -r spec size rest; do echo "$spec $(key "$size") $rest"; done > "$1"
}
# table LINE DEVICE: the kernel's, of a line as crypt_lab has it.
table() {
  local spec key offset options
  read -r spec key offset options <<< "$1"
  # shellcheck disable=SC2086
  set -- "$2" $options
  echo "0 $sectors crypt $spec $key $offset $1 0 $(($# - 1)) ${*:2}"
}
create() { dmsetup create --table "$2" "$1" && dmsetup mknodes "$1"; }
# wrong WHAT: of the line; the test fails at its end.
errors=0
wrong() {
  printf 'FAILED: line %s, %s %s: %s\n' "$n" "${line%% *}" "${line#* * }" "$1"
  errors=$((errors + 1))
}
write_through() { dd if=plain of=/dev/mapper/crypt bs=16K oflag=direct conv=notrunc status=none; }

case_of 'the same bytes'
lines same << 'LINES'
aes 32 0
aes-plain 16 5
aes-ecb 32 0
aes-ecb-plain64 32 0
aes-cbc-null 32 0
aes-cbc-plain 32 4294967290
aes-cbc-plain64 32 4294967290
aes-cbc-plain64be 32 4294967290
aes-cbc-essiv:sha256 32 4294967290
aes-cbc-essiv:sha256 16 0
aes-cbc-essiv:sha256 32 8 sector_size:4096
aes-cbc-benbi 32 4294967290
aes-cbc-benbi 32 8 sector_size:4096
aes-ctr-benbi 32 7
aes-ctr-plain64 32 4294967290
aes-xts-plain64 64 1152921504606846970
aes-xts-plain64 32 16 sector_size:4096
aes-xts-plain64 64 16 sector_size:4096 iv_large_sectors
aes-xts-plain64 48 4 sector_size:2048 iv_large_sectors
aes-xts-plain 64 4294967290 sector_size:1024
aes-xts-essiv:sha256 64 3
aes-xts-benbi 64 3
aes-xts-eboiv 64 3
aes-cbc-eboiv 32 3
aes-cbc-eboiv 32 8 sector_size:4096
aes-cbc-eboiv 32 8 sector_size:4096 iv_large_sectors
aes-cbc-elephant 64 3
aes-cbc-elephant 32 3
aes-cbc-elephant 64 8 sector_size:4096 iv_large_sectors
aes-cbc-elephant 64 2 sector_size:1024
aes:64-cbc-lmk 1024 3
aes:64-cbc-lmk 2080 4294967290
aes:64-cbc-lmk 1040 61
aes-cbc-lmk 16 3
capi:cbc(aes)-lmk 1024 3
aes-cbc-tcw 64 4294967290
aes-cbc-tcw 48 3
aes-xts-tcw 96 3
aes:4-cbc-tcw 160 3
aes:4-xts-plain64 256 3
aes:2-cbc-essiv:sha256 64 8 sector_size:4096
aes:4-cbc-eboiv 128 3
aes:2-cbc-benbi 64 2 sector_size:1024
capi:xts(aes)-plain64 64 3
capi:cbc(aes)-essiv:sha256 32 3
capi:cbc(aes)-elephant 64 3
capi:cbc(aes)-essiv:sha3-256 32 3
aes-cbc-plain64:ignored 32 3
aes-lrw-plain64 32 3
aes-lrw-benbi 48 4294967290
aes-lrw-benbi 32 8 sector_size:4096
serpent-xts-plain64 64 3
serpent-cbc-essiv:sha256 32 3
serpent-cbc-plain64 24 3
serpent-cbc-tcw 64 3
serpent-lrw-benbi 32 3
twofish-xts-plain64 64 3
twofish-xts-plain64 32 3
twofish-cbc-plain64 16 3
twofish-cbc-tcw 64 3
camellia-xts-plain64 64 3
camellia-ctr-plain64 32 3
des3_ede-cbc-plain64 24 3
cast5-cbc-plain64 16 3
cast5-cbc-benbi 16 3
cast5-cbc-tcw 40 3
blowfish-cbc-plain64 16 3
blowfish-cbc-eboiv 16 3
blowfish-cbc-lmk 16 3
LINES
./crypt_lab encrypt same plain ours
./crypt_lab decrypt same plain ours
n=0
while read -r line; do
  n=$((n + 1))
  create crypt "$(table "$line" "$disk")" || { wrong "the kernel refuses it"; continue; }
  write_through
  dmsetup remove crypt
  head -c 16384 disk | cmp -s - "ours/$n" || wrong "not what the kernel writes"
done < same

# The device below keeps records, in a file of their own. integrity_below BYTES SECTOR_SIZE: makes it; sets at, where the
# first record is in the file.
integrity_below() {
  local provided entry entries sections
  dd if=/dev/zero of=meta bs=1M count=1 conv=notrunc status=none
  dd if=/dev/zero of=disk bs=1M count=1 conv=notrunc status=none
  local options="$disk 0 $1 D 4 block_size:$2 journal_sectors:64 fix_padding meta_device:$meta"
  create below "0 8 integrity $options"
  provided=$(dmsetup status below | awk '{ print $5 }')
  dmsetup remove below
  create below "0 $provided integrity $options"
  entry=$(((8 + 8 * ($2 / 512) + $1 + 7) / 8 * 8))
  # Whole entries in each of eight sectors.
  # shellcheck disable=SC2017
  entries=$((504 / entry * 8))
  sections=$(od -A n -t u4 -j 12 -N 4 meta)
  at=$(((8 + (entries * ($2 / 512) + 8) * sections) * 512))
}
size_of() { if [[ $1 =~ sector_size:([0-9]+) ]]; then echo "${BASH_REMATCH[1]}"; else echo 512; fi; }

case_of 'tags and stored IVs'
lines tagged << 'LINES'
capi:gcm(aes)-plain64 32 3 integrity:16:aead
capi:gcm(aes)-random 16 3 integrity:28:aead
capi:gcm(aes)-plain64 24 8 integrity:16:aead sector_size:4096
capi:gcm(aes)-random 32 8 integrity:28:aead sector_size:4096 iv_large_sectors
capi:gcm(aes)-plain64 32 3 integrity:12:aead
capi:gcm(aes)-benbi 32 3 integrity:16:aead
capi:rfc4309(ccm(aes))-random 35 3 integrity:24:aead
capi:rfc4309(ccm(aes))-plain64 19 3 integrity:16:aead
capi:rfc4309(ccm(aes))-plain64 19 3 integrity:8:aead
capi:rfc7539(chacha20,poly1305)-random 32 3 integrity:28:aead
capi:rfc7539(chacha20,poly1305)-plain64 32 8 integrity:16:aead sector_size:4096
capi:authenc(hmac(sha256),xts(aes))-plain64 96 3 integrity:32:aead
capi:authenc(hmac(sha256),xts(aes))-random 96 8 integrity:48:aead sector_size:4096
capi:authenc(hmac(sha256),xts(aes))-plain64 96 3 integrity:20:aead
capi:authenc(hmac(sha1),xts(aes))-plain64 84 3 integrity:20:aead
capi:authenc(hmac(sha512),xts(aes))-plain64 128 3 integrity:64:aead
capi:authenc(hmac(sha256),cbc(aes))-essiv:sha256 64 3 integrity:32:aead
capi:authenc(hmac(sha256),ctr(aes))-benbi 64 3 integrity:32:aead
capi:authenc(hmac(sha256),xts(aes))-benbi 96 3 integrity:32:aead
capi:authenc(hmac(sha256),cbc(serpent))-null 64 3 integrity:32:aead
capi:xts(aes)-random 64 3 integrity:16:none
capi:xts(aes)-random 64 3 integrity:32:none
LINES
./crypt_lab encrypt tagged plain ours
n=0
while read -r line; do
  n=$((n + 1))
  [[ $line =~ integrity:([0-9]+) ]]
  record=${BASH_REMATCH[1]} size=$(size_of "$line")
  integrity_below "$record" "$size"
  create crypt "$(table "$line" /dev/mapper/below)" || { wrong "the kernel refuses it"; dmsetup remove below; continue; }
  write_through
  dmsetup remove crypt
  dmsetup remove below
  head -c 16384 disk > "kernels/$n"
  dd if=meta of="kernels/$n.records" bs=512 skip=$((at / 512)) count="$record" status=none
  # shellcheck disable=SC2017
  truncate -s $((16384 / size * record)) "kernels/$n.records"
  # The other way round.
  dd if="ours/$n" of=disk bs=16K conv=notrunc status=none
  dd if="ours/$n.records" of=meta bs=512 seek=$((at / 512)) conv=notrunc status=none
  create below "0 1024 integrity $disk 0 $record D 4 block_size:$size journal_sectors:64 fix_padding meta_device:$meta"
  create crypt "$(table "$line" /dev/mapper/below)"
  dd if=/dev/mapper/crypt of=seen bs=16K count=1 iflag=direct status=none || wrong "the kernel cannot read it"
  cmp -s seen plain || wrong "the kernel reads something else"
  dmsetup remove crypt
  dmsetup remove below
done < tagged
./crypt_lab decrypt tagged plain kernels || wrong "not what the kernel has written"

case_of 'the same refusals'
lines refused << 'LINES'
xts(aes)-plain64 64 0
aes:3-cbc-plain 96 0
aes-xts 64 0
aes-cbc-essiv 32 0
capi:cbc(aes)-essiv 32 0
aes-xts-nonsense 64 0
nonsense-xts-plain64 64 0
aes-nonsense-plain64 64 0
aes-cbc-essiv:sha1 32 0
aes-xts-plain64 63 0
aes-xts-plain64 65 0
aes-cbc-plain64 8 0
aes:64-cbc-lmk 1024 0 sector_size:4096
aes-cbc-tcw 48 0 sector_size:1024
aes-cbc-tcw 32 0
aes-ctr-eboiv 32 0
aes-xts-random 64 0
aes-xts-plain64 64 4 sector_size:4096
aes-xts-plain64 64 0 sector_size:8192
aes-xts-plain64 64 0 nonsense
aes-xts-plain64 64 0 integrity:0:aead
aes-xts-plain64 64 0 integrity:16:nonsense
capi:xts(aes)-plain64 64 0 integrity:16:aead
capi:gcm(aes)-eboiv 32 0 integrity:16:aead
aes-gcm-plain64 32 0 integrity:16:aead
LINES
./crypt_lab refuse refused plain ours > reasons
n=0
while read -r line; do
  n=$((n + 1))
  dmesg -c > /dev/null
  if create crypt "$(table "$line" "$disk")" 2> /dev/null; then
    wrong "the kernel accepts it"
    dmsetup remove crypt
  fi
  kernels=$(dmesg | sed -n 's/.*device-mapper: table: [0-9:]*: crypt: \(.*\) (-E[A-Z]*)$/\1/p' | head -1)
  reason=$(sed -n "${n}p" reasons)
  [[ -n $kernels && $reason == "${kernels%.}"* ]] || wrong "'$reason', and the kernel: '$kernels'"
done < refused
equal "$errors" 0 errors
