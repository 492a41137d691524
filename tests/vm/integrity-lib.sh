# For scripts that put the kernel's dm-integrity and `intact integrity` on the same devices, in many configurations.
# Sourced after guest-lib.sh; works in $work. Starting programs takes the time in the guest, above all intact and
# dmsetup: hence loop devices that stay, and small programs of busybox.
# shellcheck shell=bash disable=SC2034
cd "$work" || exit
modprobe dm-integrity
modprobe fuse
dd() { busybox dd "$@"; }
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
printf '%b' "$(sed 's/../\\x&/g' <<< $key)" > key
head -c 16 key > key16
touch view
device=/dev/mapper/volume
declare -A loops
for file in disk-1M disk-2M data; do
  truncate -s 1M "$file"
  [[ $file != *2M ]] || truncate -s 2M "$file"
  loops[$file]=$(losetup --find --show "$file")
done

# parse WORD=VALUE...: a configuration. Sets its words; table_options (of the kernel), format_options and open_options
# (ours); disk, the file with the superblock. With meta= the data are in the file data, else in disk as well.
parse() {
  local word
  mode=J hash=crc32c hash_key='' tag=- block=512 start=0 size=1M meta='' journal='' interleave='' mac='' crypt=''
  legacy_padding='' legacy_hmac='' buffer='' bit='' commit=60000
  for word; do printf -v "${word%%=*}" '%s' "${word#*=}"; done
  disk=disk-$size
  table_options=("internal_hash:$hash${hash_key:+:${key:0:$((2 * hash_key))}}" "commit_time:$commit")
  open_options=(--integrity "$hash" --journal-commit-time "$commit")
  format_options=(--no-wipe --sector-size "$block")
  [[ -z $hash_key ]] || open_options+=(--integrity-key-file key --integrity-key-size "$hash_key")
  [[ $tag == - ]] || open_options+=(--tag-size "$tag")
  ((block == 512)) || table_options+=("block_size:$block")
  if [[ -z $legacy_padding ]]; then table_options+=(fix_padding); else format_options+=(--integrity-legacy-padding); fi
  if [[ -z $legacy_hmac ]]; then table_options+=(fix_hmac); else open_options+=(--integrity-legacy-hmac); fi
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

# blank: nothing is on disk, nor in data.
blank() {
  : > "$disk"
  truncate -s "$size" "$disk"
  [[ -n $meta ]] || return 0
  : > data
  truncate -s 1M data
}
# provided: what the superblock of disk says, in sectors
provided() { od -An -tu8 -j $((start * 512 + 16)) -N 8 "$disk" | tr -d ' '; }
# ours_on DISK DATA: sets ours, the arguments by which we open a device in these files.
ours_on() {
  ours=("$1" "${open_options[@]}")
  [[ -z $meta ]] || ours+=(--data-device "$2")
}

# map SECTORS [DISK DATA]: the kernel opens the device, on the loop devices or on others.
map() {
  local options=("${table_options[@]}") below=${2-${loops[$disk]}}
  if [[ -n $meta ]]; then
    options+=("meta_device:$below")
    below=${3-${loops[data]}}
  fi
  dmsetup create volume --table "0 $1 integrity $below $start $tag $mode ${#options[@]} ${options[*]}" ||
    fail "the kernel refuses: 0 $1 integrity $below $start $tag $mode ${#options[@]} ${options[*]}"
}
unmap() { dmsetup remove volume; }
# kernel_reads FILE: the kernel opens the device, reads all of it into the file, every tag checked, and closes it.
kernel_reads() {
  map "$(provided)"
  dd if=$device of="$1" bs=64K iflag=direct status=none || fail "the kernel cannot read it: $(dmesg | tail -3)"
  read -r _ _ _ mismatches _ < <(dmsetup status volume)
  unmap
  equal "$mismatches" 0 "mismatches"
}
# ours_killed WRITER: we serve the device by FUSE, the function writes to the file view, and we are killed.
ours_killed() {
  serve "$intact" integrity open "${ours[@]}" --fuse view
  grep -q 'can be read and written' served.out || fail "not for writing: $(cat served.out)"
  "$1" view
  kill -KILL "$server"
  wait "$server" 2> /dev/null || :
  umount -l view
}
