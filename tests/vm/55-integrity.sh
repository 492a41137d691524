#!/usr/bin/env bash
# The kernel's dm-integrity and `intact integrity` on the same devices, in many configurations and both directions: what
# one has formatted, written and flushed and then left as a power cut would, the other replays and reads.
. "$(dirname "$0")/guest-lib.sh"
cd "$work" || exit
modprobe dm-integrity
modprobe fuse
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
printf '%b' "$(sed 's/../\\x&/g' <<< $key)" > key
head -c 4 key > key4
head -c 16 key > key16
head -c 4M /dev/urandom > first
head -c 32K /dev/urandom > second
touch view
device=/dev/mapper/volume
total=0

# parse WORD=VALUE...: a configuration. Sets its words, table_options (of the kernel), format_options and open_options
# (ours), and whether there is a device of its own for the tags.
parse() {
  local word
  mode=J hash=crc32c hash_key='' tag=- block=512 start=0 size=2M meta='' journal='' interleave='' mac='' crypt=''
  legacy_padding='' legacy_hmac='' buffer='' bit=''
  for word; do printf -v "${word%%=*}" '%s' "${word#*=}"; done
  table_options=("internal_hash:$hash${hash_key:+:${key:0:$((2 * hash_key))}}" commit_time:60000)
  open_options=(--integrity "$hash" --journal-commit-time 60000)
  format_options=(--no-wipe --sector-size "$block")
  [[ -z $hash_key ]] || open_options+=(--integrity-key-file key --integrity-key-size "$hash_key")
  [[ $tag == - ]] || format_options+=(--tag-size "$tag")
  ((block == 512)) || table_options+=("block_size:$block")
  if [[ -z $legacy_padding ]]; then table_options+=(fix_padding); else format_options+=(--integrity-legacy-padding); fi
  if [[ -z $legacy_hmac ]]; then table_options+=(fix_hmac); else format_options+=(--integrity-legacy-hmac); fi
  if [[ -n $mac ]]; then
    table_options+=("journal_mac:$mac:$key")
    open_options+=(--journal-integrity "$mac" --journal-integrity-key-file key)
  fi
  if [[ -n $crypt ]]; then
    table_options+=("journal_crypt:$crypt:${key:0:32}")
    open_options+=(--journal-crypt "$crypt" --journal-crypt-key-file key16)
  fi
  [[ -z $journal ]] || { table_options+=("journal_sectors:$journal"); format_options+=(--journal-size $((journal * 512))); }
  [[ -z $interleave ]] || {
    table_options+=("interleave_sectors:$interleave")
    format_options+=(--interleave-sectors "$interleave")
  }
  [[ -z $buffer ]] || { table_options+=("buffer_sectors:$buffer"); open_options+=(--buffer-sectors "$buffer"); }
  [[ -z $bit ]] || { table_options+=("sectors_per_bit:$bit"); open_options+=(--bitmap-sectors-per-bit "$bit"); }
  case $mode in
    B) open_options+=(--integrity-bitmap-mode) ;;
    D) open_options+=(--integrity-no-journal) ;;
  esac
  open_options+=(--start "$start")
}

# blank: new files disk and, if the tags have a device of their own, data.
blank() {
  rm -f disk data
  truncate -s "$size" disk
  [[ -z $meta ]] || truncate -s 1M data
}
# provided: what the superblock of disk says, in sectors
provided() { od -An -tu8 -j $((start * 512 + 16)) -N 8 disk | tr -d ' '; }

# attach: disk and data as loop devices; detach takes them away again.
attach() {
  local options=("${table_options[@]}") below
  below=$(losetup --find --show disk)
  loops=("$below")
  if [[ -n $meta ]]; then
    options+=("meta_device:$below")
    below=$(losetup --find --show data)
    loops+=("$below")
  fi
  table="integrity $below $start $tag $mode ${#options[@]} ${options[*]}"
}
map() { dmsetup create volume --table "0 $1 $table" || fail "the kernel refuses: 0 $1 $table"; }
unmap() { dmsetup remove volume; }
detach() { losetup -d "${loops[@]}"; }

# fill FILE: writes all of it, then some blocks again, both flushed. They are in the file expected then.
fill() {
  local bytes=$(($(provided) * 512))
  head -c $bytes first > expected
  dd if=expected of="$1" bs=256K conv=notrunc,fsync status=none
  dd if=second of=expected bs=4K seek=9 conv=notrunc status=none
  dd if=second of="$1" bs=4K seek=9 conv=notrunc,fsync status=none
}

# kernel_first: the kernel formats and writes and is cut off; we look, replay and read.
kernel_first() {
  local ours=(disk "${open_options[@]}")
  [[ -z $meta ]] || ours+=(--data-device data)
  blank
  attach
  map 8
  unmap
  map "$(provided)"
  fill $device
  cp disk cut-disk
  [[ -z $meta ]] || cp data cut-data
  unmap
  detach
  mv cut-disk disk
  [[ -z $meta ]] || mv cut-data data
  rm -f seen
  expect 0 "$intact" integrity open "${ours[@]}" --to seen
  cmp seen expected || fail "we read something else"
  if [[ $mode == J ]]; then
    expect 0 "$intact" integrity replay "${ours[@]}"
    said 'blocks? would be written'
  fi
  expect 0 "$intact" integrity replay "${ours[@]}" --in-place
  expect 0 "$intact" integrity check "${ours[@]}"
  said 'is intact'
  rm -f seen
  expect 0 "$intact" integrity open "${ours[@]}" --to seen
  cmp seen expected || fail "we read something else when it was replayed"
}

# ours_first: we format and write and are killed; the kernel replays and reads.
ours_first() {
  local ours=(disk "${open_options[@]}") before i server
  [[ -z $meta ]] || ours+=(--data-device data)
  blank
  expect 0 "$intact" integrity format "${ours[@]}" "${format_options[@]}"
  "$intact" integrity open "${ours[@]}" --fuse view > served 2>&1 &
  server=$!
  for ((i = 0; i < 400; i++)); do ! grep -q 'can be read' served || break; sleep 0.02; done
  grep -q 'can be read and written' served || fail "not served: $(cat served)"
  fill view
  kill -KILL $server
  wait $server 2> /dev/null || :
  umount -l view
  before=$(provided)
  attach
  map "$before"
  dd if=$device of=seen bs=64K iflag=direct status=none || fail "the kernel cannot read it: $(dmesg | tail -3)"
  equal "$(dmsetup status volume | cut -d ' ' -f 4)" 0 "mismatches"
  unmap
  detach
  cmp seen expected || fail "the kernel reads something else"
  equal "$(provided)" "$before" "provided sectors"
  expect 0 "$intact" integrity check "${ours[@]}"
}

# both WORD=VALUE...: this configuration in both directions.
both() {
  case_of "$*"
  parse "$@"
  kernel_first
  ours_first
  total=$((total + 1))
}

# Hashes and block sizes.
for block in 512 1024 2048 4096; do both "block=$block"; done
for hash in crc32 xxhash64 sha256; do for block in 512 4096; do both "hash=$hash" "block=$block" interleave=1024; done; done
for hash in sha1 sha512 sha3-256 blake2b-256; do both "hash=$hash" block=1024 interleave=1024; done
both hash=crc32c hash_key=4
for hash in sha1 sha256 sha512; do both "hash=hmac($hash)" hash_key=32 block=4096; done
both 'hash=hmac(sha256)' hash_key=32 interleave=512

# The other modes.
for mode in B D; do
  both "mode=$mode"
  both "mode=$mode" block=4096
  both "mode=$mode" hash=sha256 interleave=1024
  # Without the MAC what a crash leaves in bitmap mode may not be recalculated.
  both "mode=$mode" 'hash=hmac(sha256)' hash_key=32 block=4096 'mac=hmac(sha256)'
  both "mode=$mode" hash=xxhash64 start=64
  both "mode=$mode" legacy_padding=yes legacy_hmac=yes
done
both mode=B bit=64
both mode=B bit=1024 meta=yes

# Tags that are cut, and padded.
for tag in 20 24 28 48; do both hash=sha256 "tag=$tag" interleave=1024; done
both hash=crc32c tag=8
both hash=sha512 tag=36 block=4096

# The journal under a cipher and a MAC.
for crypt in 'ctr(aes)' 'cbc(aes)'; do
  for block in 512 4096; do
    both "crypt=$crypt" "block=$block"
    both "crypt=$crypt" "block=$block" 'mac=hmac(sha256)' 'hash=hmac(sha256)' hash_key=32 interleave=1024
  done
done
for mac in sha1 sha256 sha512; do both "mac=hmac($mac)"; done
both 'mac=hmac(sha256)' block=4096
both 'mac=hmac(sha256)' legacy_hmac=yes
both 'mac=hmac(sha256)' 'hash=hmac(sha256)' hash_key=32 legacy_hmac=yes legacy_padding=yes block=4096
both 'mac=hmac(sha256)' 'crypt=ctr(aes)' mode=B
both 'mac=hmac(sha256)' 'crypt=cbc(aes)' mode=D

# Tags on a device of their own.
for mode in J B D; do both "mode=$mode" meta=yes; done
both meta=yes hash=sha256 tag=20
both meta=yes start=512 block=4096
both meta=yes 'mac=hmac(sha256)' 'crypt=ctr(aes)' 'hash=hmac(sha256)' hash_key=32 journal=352

# Places.
both legacy_padding=yes
both legacy_padding=yes block=4096
both legacy_hmac=yes
for start in 8 1000 2048; do both "start=$start"; done
both start=2048 'mac=hmac(sha256)'
for interleave in 256 1024 4096; do both "interleave=$interleave"; done
both interleave=256 hash=sha256 block=4096
both buffer=8
both buffer=1024 interleave=2048
both journal=1
both journal=1100
both journal=1100 'mac=hmac(sha256)' 'crypt=ctr(aes)'

((total >= 60)) || fail "only $total configurations"
echo "$total configurations"
